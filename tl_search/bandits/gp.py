"""The loop that the Gaussian-process policies share; they differ in how they name candidate arms.

First come a few fixed arms, on the cheapest task group. Then each decision takes, among the candidates that the policy
names, the arm and the task groups of the largest knowledge gradient per second.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tl_search.bandits.features import training_time
from tl_search.bandits.history import History
from tl_search.bandits.knowledge_gradient import KnowledgeGradient
from tl_search.bandits.policy import Policy, PolicyConfig, Problem
from tl_search.bandits.posterior import ONE_GROUP, SEVERAL_GROUPS, Posterior
from tl_search.bandits.task_groups import group_score, group_weights, task_groups
from tl_search.errors.limits import between
from tl_search.plane.arm import Plane
from tl_search.plane.pull import Observation, Pull, Recommendation

RESCALE = (8, 14, 24, 40, 80, 160, 320, 640, 1280, 2560)
"""Numbers of scored (arm, group) after which the scales of the posterior are fitted again."""

OPENING, CANDIDATES, GAP = range(3)
"""What random numbers are for; each has a stream of its own."""


class GPPolicy:
    """A policy with a Gaussian process as its surrogate model."""

    def __init__(self, problem: Problem, config: "GPConfig") -> None:
        self.problem, self._rank = problem, config.rank
        self._groups = task_groups(problem, config.shares, config.first)
        prior = SEVERAL_GROUPS if len(self._groups) > 1 else ONE_GROUP
        self._posterior = Posterior(problem.plane, group_weights(self._groups, problem.weights), prior)
        self._history = History(problem)
        self._opening = opening_arms(problem.plane, problem.stream(0, OPENING))
        self._known: set[tuple[int, int]] = set()
        self._rescaled = 0

    def ask(self, count: int = 1, pending: Sequence[Pull] = ()) -> list[Pull]:
        history, posterior = self._history, self._posterior
        pulls: list[Pull] = []
        expected = pending
        while len(pulls) < count:
            if expected:
                history, posterior = self._expecting(history, posterior, expected)
            pull = self._next(history, posterior)
            if pull is None:
                break
            pulls.append(pull)
            expected = [pull]
        return pulls

    def tell(self, observation: Observation) -> None:
        arm = self._history.tell(observation)
        scores = self._history.scores[arm]
        fresh = [
            group
            for group, tasks in enumerate(self._groups)
            if (arm, group) not in self._known and all(task in scores for task in tasks)
        ]
        if not fresh:
            return
        self._known.update((arm, group) for group in fresh)
        values = [group_score(self._groups[group], self.problem.weights, scores) for group in fresh]
        self._posterior.learn(np.full(len(fresh), arm), np.array(fresh), np.array(values))
        due = sum(len(self._known) >= number for number in RESCALE)
        if due > self._rescaled:
            self._rescaled = due
            self._posterior.rescale()

    def recommend(self) -> Recommendation:
        value, sd = self._value(self._history, self._posterior), self._sd()
        if not np.isfinite(value).any():  # every arm has a failed cell: recommend the one of the best posterior mean
            value = self._posterior.mean()
        arm = int(np.argmax(value))
        return Recommendation(self.problem.plane.arms()[arm], float(value[arm]), float(sd[arm]))

    def gaps(self, draws: int) -> np.ndarray | None:
        if self._next_opening(self._history) is not None:
            return None
        value = self._value(self._history, self._posterior)
        if not np.isfinite(value).any():
            return None
        generator = self.problem.stream(self._history.next_t, GAP)
        drawn = self._pinned(self._posterior.draws(generator, draws), self._history)
        return drawn.max(axis=0) - drawn[int(np.argmax(value))]

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self._posterior.mean()
        for arm, score in self._history.measured().items():
            mean[arm] = score
        shape = (len(self.problem.plane.revisions), -1)
        return mean.reshape(shape), self._sd().reshape(shape)

    def _next(self, history: History, posterior: Posterior) -> Pull | None:
        opening = self._next_opening(history)
        if opening is not None:
            return self._pull(history, opening, [0])
        value = self._value(history, posterior)
        gradient = KnowledgeGradient(history, self._groups, posterior, value, self._seen(history))
        fallback = gradient.most_promising()
        if fallback is None:
            return None
        candidates = self._candidates(history, posterior, gradient.open)
        proposal = gradient.best(candidates or [fallback])
        return self._pull(history, proposal.arm, proposal.groups)

    def _candidates(self, history: History, posterior: Posterior, open_: np.ndarray) -> list[int]:
        """The arms that rank first, in the plane and in its opened columns, where something is left to score."""
        rank = self._pinned(self._rank(posterior, self.problem.stream(history.next_t, CANDIDATES)), history)
        width = self.problem.plane.width
        opened = np.zeros(len(open_), bool)
        for column in {arm // width for arm in history.taken}:
            opened[column * width : (column + 1) * width] = True
        named = list(np.argmax(rank, axis=0))
        if (opened & open_).any():  # their cells cost no load, so a lower rank may be worth its price
            named += list(np.argmax(np.where((opened & open_)[:, None], rank, -np.inf), axis=0))
        return [int(arm) for arm in dict.fromkeys(named) if open_[arm]]

    def _next_opening(self, history: History) -> int | None:
        first = set(self._groups[0])
        open_ = (arm for arm in self._opening if arm not in history.failed)
        return next((arm for arm in open_ if not first <= history.taken.get(arm, set())), None)

    def _pull(self, history: History, arm: int, groups: Sequence[int]) -> Pull:
        wanted = {task for group in groups for task in self._groups[group]}
        tasks = tuple(task for task in history.left(arm) if task in wanted)
        return Pull(history.next_t, self.problem.plane.arms()[arm], tasks)

    def _expecting(self, history: History, posterior: Posterior, pulls: Sequence[Pull]) -> tuple[History, Posterior]:
        """Both as they will be once `pulls` are scored: cells taken, variance smaller; the mean stays."""
        before = self._seen(history)
        history, posterior = history.expecting(pulls), posterior.copy()
        arms, fresh = np.nonzero(self._seen(history) & ~before)
        if len(arms):
            posterior.learn(arms, fresh, None)
        return history, posterior

    def _seen(self, history: History) -> np.ndarray:
        """(arm, group): whether nothing is left to score there."""
        seen = np.zeros((len(self.problem.plane.arms()), len(self._groups)), bool)
        for arm, taken in history.taken.items():
            seen[arm] = [taken.issuperset(group) for group in self._groups]
        return seen

    def _value(self, history: History, posterior: Posterior) -> np.ndarray:
        """Points expected of each arm's objective: as measured once all tasks are scored, -inf where a cell failed."""
        return self._pinned(posterior.mean()[:, None], history)[:, 0]

    def _pinned(self, objective: np.ndarray, history: History) -> np.ndarray:
        """`objective` (arm, k) with the measured value of arms that are measured, and -inf for failed ones."""
        for arm, score in history.measured().items():
            objective[arm] = score
        objective[list(history.failed)] = -np.inf
        return objective

    def _sd(self) -> np.ndarray:
        sd = self._posterior.sd()
        sd[list(self._history.measured())] = 0.0
        return sd


@dataclass(frozen=True, kw_only=True)
class GPConfig(PolicyConfig, ABC):
    """The settings that all of these policies have.

    Args:
        shares: Where tasks, by rising price, are cut into groups: rising parts of the price of all tasks, in (0, 1).
        first: Least number of tasks in the cheapest group, >= 1.
    """

    shares: tuple[float, ...] = (0.03, 0.12, 0.4)
    first: int = 3

    DECIDES: ClassVar = {"files": "shares first"}

    def __post_init__(self) -> None:
        cuts = tuple(self.shares)
        if any(not 0 < share < 1 for share in cuts) or list(cuts) != sorted(set(cuts)):
            raise ValueError(f"shares: must rise between 0 and 1, got {list(cuts)}")
        between(1, 10**6, first=self.first)
        object.__setattr__(self, "shares", cuts)

    @abstractmethod
    def rank(self, posterior: Posterior, generator: np.random.Generator) -> np.ndarray:
        """Rank the arms in k ways, (arm, k): the largest value of each way names a candidate."""

    def start(self, problem: Problem) -> Policy:
        return GPPolicy(problem, self)


def opening_arms(plane: Plane, generator: np.random.Generator) -> tuple[int, ...]:
    """The arms to score first (positions): the last revision at several depths, then earlier ones for the trend."""
    time, depths = training_time([revision.step for revision in plane.revisions]), plane.n_layers
    last, late, middle = len(time) - 1, int(np.argmin(np.abs(time - 0.8))), int(np.argmin(np.abs(time - 0.5)))

    def near(depth: float) -> int:
        return int(np.clip(round(depth * depths) + generator.integers(-1, 2), 0, depths))

    opening = [(last, near(0.7)), (last, depths), (last, near(0.4)), (last, 0), (0, 0)]
    opening += [(late, near(0.7)), (late, near(0.5)), (middle, near(0.6))]
    return tuple(dict.fromkeys(column * plane.width + layer for column, layer in opening))
