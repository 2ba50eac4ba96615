"""The scores that a policy has been told, and the pulls that still wait for their scores; it makes no predictions."""

import math
from collections.abc import Sequence

from tl_search.bandits.policy import Problem
from tl_search.plane.costs import Spending
from tl_search.plane.objective import combine
from tl_search.plane.pull import Observation, Pull, Recommendation


class History:
    """Scores in points, failures and spending by arm; arms are their positions in the plane.

    A cell (arm, task) is *taken* once it is scored, failed or pending: no policy proposes it again. The objective of an
    arm with a failed cell is never known, so nothing more is spent on that arm.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.spending = Spending(problem.costs)
        self.scores: dict[int, dict[str, float]] = {}
        self.taken: dict[int, set[str]] = {}
        self.failed: set[int] = set()
        self.next_t = 0
        self._pulls: list[Pull] = []

    def tell(self, observation: Observation) -> int:
        """Add the scores; returns the arm's position.

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
        """Add a pull whose scores are not known yet; returns the arm's position."""
        arm = self.problem.plane.position(pull.arm)
        self.spending.pay(pull.arm, pull.tasks)
        self.taken.setdefault(arm, set()).update(pull.tasks)
        self.next_t = max(self.next_t, pull.t + 1)
        self._pulls.append(pull)
        return arm

    def expecting(self, pulls: Sequence[Pull]) -> "History":
        """A copy to which `pulls` are added too."""
        copy = History(self.problem)
        for pull in (*self._pulls, *pulls):
            copy.expect(pull)
        copy.scores = {arm: dict(scores) for arm, scores in self.scores.items()}
        copy.failed = set(self.failed)
        return copy

    def left(self, arm: int) -> tuple[str, ...]:
        """The tasks that may still be proposed at an arm, in the suite's order."""
        taken = self.taken.get(arm, ())
        return () if arm in self.failed else tuple(task for task in self.problem.tasks if task not in taken)

    def measured(self) -> dict[int, float]:
        """The objective, in points, of every arm whose tasks are all scored."""
        weights = self.problem.weights
        return {arm: combine(weights, scores) for arm, scores in self.scores.items() if len(scores) == len(weights)}

    def best_measured(self) -> Recommendation:
        """The best arm whose tasks are all scored; while there is none, the last layer of the last revision.

        Without a search one would take that arm. Its objective is unknown, so mean and sd are those of a uniform
        distribution over 0..100.
        """
        plane, measured = self.problem.plane, self.measured()
        if not measured:
            return Recommendation(plane.arms()[-1], mean=50.0, sd=100 / 12**0.5)
        arm = max(measured, key=lambda arm: (measured[arm], arm))
        return Recommendation(plane.arms()[arm], measured[arm], sd=0.0)
