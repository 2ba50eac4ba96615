"""The loop that the Gaussian-process policies share; what differs is which arms they put up for choice.

A few fixed arms first, on the cheapest rung; then, of the arms that the policy's index names, the purchase of the
largest knowledge gradient per second.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tl_search.bandits.acquisition import Market
from tl_search.bandits.features import training_time
from tl_search.bandits.policy import Problem
from tl_search.bandits.posterior import ONE_RUNG, RUNGS, Posterior
from tl_search.bandits.record import Record
from tl_search.bandits.rungs import rung_score, rung_weights, rungs
from tl_search.plane.arm import Plane
from tl_search.plane.pull import Observation, Pull, Recommendation

Index = Callable[[Posterior, np.random.Generator], np.ndarray]
"""(arm, k): k ways to rank the arms, of which each puts up its first; may draw from the decision's stream."""

RESCALE = (8, 14, 24, 40, 80, 160, 320, 640, 1280, 2560)
"""Numbers of scored (arm, rung) after which the scales are fitted anew."""

OPENING, PROPOSAL, GAP = range(3)
"""Purposes of random streams."""


class GPPolicy:
    """A policy over one belief.

    Args:
        problem: What is searched.
        index: Ranks the arms at each decision.
        shares: Where rungs are cut, as parts of the price of all tasks.
        first: Least number of tasks in the first rung.
    """

    def __init__(self, problem: Problem, index: Index, shares: Sequence[float], first: int) -> None:
        self.problem, self._index = problem, index
        self._groups = rungs(problem, shares, first)
        self._belief = Posterior(
            problem.plane, rung_weights(self._groups, problem.weights), RUNGS if len(self._groups) > 1 else ONE_RUNG
        )
        self._record = Record(problem)
        self._opening = opening_arms(problem.plane, problem.stream(0, OPENING))
        self._known: set[tuple[int, int]] = set()
        self._rescaled = 0

    def ask(self, count: int = 1, pending: Sequence[Pull] = ()) -> list[Pull]:
        record, belief = self._record, self._belief
        pulls: list[Pull] = []
        if pending:
            record, belief = self._expecting(record, belief, pending)
        while len(pulls) < count:
            pull = self._next(record, belief)
            if pull is None:
                break
            pulls.append(pull)
            if len(pulls) < count:
                record, belief = self._expecting(record, belief, [pull])
        return pulls

    def tell(self, observation: Observation) -> None:
        arm = self._record.tell(observation)
        scores = self._record.scores[arm]
        fresh = [
            rung
            for rung, group in enumerate(self._groups)
            if (arm, rung) not in self._known and all(task in scores for task in group)
        ]
        if not fresh:
            return
        self._known.update((arm, rung) for rung in fresh)
        values = [rung_score(self._groups[rung], self.problem.weights, scores) for rung in fresh]
        self._belief.learn(np.full(len(fresh), arm), np.array(fresh), np.array(values))
        due = sum(len(self._known) >= number for number in RESCALE)
        if due > self._rescaled:
            self._rescaled = due
            self._belief.rescale()

    def recommend(self) -> Recommendation:
        value, sd = self._value(self._record, self._belief), self._sd()
        if not np.isfinite(value).any():  # every arm has failed somewhere: name the one that looks best all the same
            value = self._belief.mean()
        arm = int(np.argmax(value))
        return Recommendation(self.problem.plane.arms()[arm], float(value[arm]), float(sd[arm]))

    def gaps(self, draws: int) -> np.ndarray | None:
        if self._next_opening(self._record) is not None:
            return None
        value = self._value(self._record, self._belief)
        if not np.isfinite(value).any():
            return None
        drawn = self._belief.draws(self.problem.stream(self._record.next_t, GAP), draws)
        drawn = self._pinned(drawn, self._record)
        return drawn.max(axis=0) - drawn[int(np.argmax(value))]

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self._belief.mean()
        for arm, score in self._record.measured().items():
            mean[arm] = score
        shape = (len(self.problem.plane.revisions), -1)
        return mean.reshape(shape), self._sd().reshape(shape)

    def _next(self, record: Record, belief: Posterior) -> Pull | None:
        opening = self._next_opening(record)
        if opening is not None:
            return self._pull(record, opening, [0])
        value, seen = self._value(record, belief), self._seen(record)
        market = Market(record, self._groups, belief, value, seen)
        fallback = market.most_promising()
        if fallback is None:
            return None
        candidates = self._candidates(record, belief, np.isfinite(value) & ~seen.all(axis=1))
        purchase = market.best(candidates or [fallback])
        return self._pull(record, purchase.arm, purchase.rungs)

    def _candidates(self, record: Record, belief: Posterior, open_: np.ndarray) -> list[int]:
        """The first of each ranking, over the plane and over the columns that are already open."""
        rank = self._index(belief, self.problem.stream(record.next_t, PROPOSAL))
        rank = self._pinned(rank, record)
        width = self.problem.plane.n_layers + 1
        opened = np.zeros(len(open_), bool)
        for column in {arm // width for arm in record.taken}:
            opened[column * width : (column + 1) * width] = True
        named = list(np.argmax(rank, axis=0))
        if (opened & open_).any():  # their cells cost no load, so they need not be the very best to be worth it
            named += list(np.argmax(np.where((opened & open_)[:, None], rank, -np.inf), axis=0))
        return [int(arm) for arm in dict.fromkeys(named) if open_[arm]]

    def _next_opening(self, record: Record) -> int | None:
        first = set(self._groups[0])
        for arm in self._opening:
            if arm not in record.failed and not first <= record.taken.get(arm, set()):
                return arm
        return None

    def _pull(self, record: Record, arm: int, bought: Sequence[int]) -> Pull:
        wanted = {task for rung in bought for task in self._groups[rung]}
        tasks = tuple(task for task in record.left(arm) if task in wanted)
        return Pull(record.next_t, self.problem.plane.arms()[arm], tasks)

    def _expecting(self, record: Record, belief: Posterior, pulls: Sequence[Pull]) -> tuple[Record, Posterior]:
        """Record and belief with pulls on their way: their cells are taken, the belief as narrow as it will be."""
        before = self._seen(record)
        record, belief = record.expecting(pulls), belief.copy()
        arms, fresh = np.nonzero(self._seen(record) & ~before)
        if len(arms):
            belief.learn(arms, fresh, None)
        return record, belief

    def _seen(self, record: Record) -> np.ndarray:
        """(arm, rung): nothing left to score there."""
        seen = np.zeros((len(self.problem.plane.arms()), len(self._groups)), bool)
        for arm, taken in record.taken.items():
            seen[arm] = [taken.issuperset(group) for group in self._groups]
        return seen

    def _value(self, record: Record, belief: Posterior) -> np.ndarray:
        """Points expected of each arm: what was measured where all of it was, -inf where a cell failed."""
        return self._pinned(belief.mean()[:, None], record)[:, 0]

    def _pinned(self, objective: np.ndarray, record: Record) -> np.ndarray:
        """(arm, k) with measured arms at their score and failed ones out of the race."""
        for arm, score in record.measured().items():
            objective[arm] = score
        objective[list(record.failed)] = -np.inf
        return objective

    def _sd(self) -> np.ndarray:
        sd = self._belief.sd()
        sd[list(self._record.measured())] = 0.0
        return sd


def opening_arms(plane: Plane, generator: np.random.Generator) -> tuple[int, ...]:
    """Arms (positions) that show the plane's shape: the last revision by depth, then the trend over training."""
    time, depths = training_time([revision.step for revision in plane.revisions]), plane.n_layers
    last, late, middle = len(time) - 1, int(np.argmin(np.abs(time - 0.8))), int(np.argmin(np.abs(time - 0.5)))

    def near(depth: float) -> int:
        return int(np.clip(round(depth * depths) + generator.integers(-1, 2), 0, depths))

    places = [(last, near(0.7)), (last, depths), (last, near(0.4)), (last, 0), (0, 0)]
    places += [(late, near(0.7)), (late, near(0.5)), (middle, near(0.6))]
    return tuple(dict.fromkeys(column * (depths + 1) + layer for column, layer in places))
