"""What a policy has been told and what is on its way: the part of its state that no belief enters."""

import math
from collections.abc import Sequence

from tl_search.bandits.policy import Problem
from tl_search.plane.costs import Spending
from tl_search.plane.objective import combine
from tl_search.plane.pull import Observation, Pull, Recommendation


class Record:
    """Scores, failures and spending by arm; arms are their positions in the plane.

    A cell is *taken* once it is scored, failed or pending: no policy proposes it again. An arm with a failed cell can
    never get its objective, so nothing more is spent on it.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.spending = Spending(problem.costs)
        self.scores: dict[int, dict[str, float]] = {}
        self.taken: dict[int, set[str]] = {}
        self.failed: set[int] = set()
        self.next_t = 0
        self._booked: list[Pull] = []

    def tell(self, observation: Observation) -> int:
        """Book the scores; returns the arm's position.

        Raises:
            ValueError: a score belongs to no task of the search, or is not finite.
        """
        for task, score in observation.scores.items():
            if task not in self.problem.weights:
                raise ValueError(f"scores: must be of tasks of the search, got {task!r}")
            if score is not None and not math.isfinite(score):
                raise ValueError(f"scores: must be points or null, got {score} for {task}")
        arm = self.expect(Pull(observation.pull.t, observation.pull.arm, tuple(observation.scores)))
        known = self.scores.setdefault(arm, {})
        for task, score in observation.scores.items():
            if score is not None:
                known.setdefault(task, float(score))
            elif task not in known:
                self.failed.add(arm)
        return arm

    def expect(self, pull: Pull) -> int:
        """Book a pull whose scores are not known yet; returns the arm's position."""
        arm = self.problem.plane.position(pull.arm)
        self.spending.pay(pull.arm, pull.tasks)
        self.taken.setdefault(arm, set()).update(pull.tasks)
        self.next_t = max(self.next_t, pull.t + 1)
        self._booked.append(pull)
        return arm

    def expecting(self, pulls: Sequence[Pull]) -> "Record":
        """A copy in which `pulls` are booked too."""
        copy = Record(self.problem)
        for pull in (*self._booked, *pulls):
            copy.expect(pull)
        copy.scores = {arm: dict(scores) for arm, scores in self.scores.items()}
        copy.failed = set(self.failed)
        return copy

    def left(self, arm: int) -> tuple[str, ...]:
        """The tasks that may still be proposed at an arm, in the suite's order."""
        taken = self.taken.get(arm, ())
        return () if arm in self.failed else tuple(task for task in self.problem.tasks if task not in taken)

    def measured(self) -> dict[int, float]:
        """The objective of every arm whose tasks are all scored."""
        weights = self.problem.weights
        return {arm: combine(weights, scores) for arm, scores in self.scores.items() if len(scores) == len(weights)}

    def best_measured(self) -> Recommendation:
        """The best arm among those scored in full; before the first, the last layer of the last revision.

        That is what one would take without a search; of its score nothing is known but that it lies in 0..100.
        """
        plane, measured = self.problem.plane, self.measured()
        if not measured:
            return Recommendation(plane.arms()[-1], mean=50.0, sd=100 / 12**0.5)
        arm = max(measured, key=lambda arm: (measured[arm], arm))
        return Recommendation(plane.arms()[arm], measured[arm], sd=0.0)
