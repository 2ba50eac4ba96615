"""Policies without a surrogate model: they score arms in an order that no score changes."""

from collections.abc import Callable, Sequence

import numpy as np

from tl_search.bandits.history import History
from tl_search.bandits.policy import Problem
from tl_search.plane.pull import Observation, Pull, Recommendation

NextArm = Callable[[list[int], np.random.Generator], int]
"""Chooses the next arm among those (rising positions in the plane) that have unscored tasks."""


class FixedOrder:
    """Scores all tasks of one arm after another and recommends the best arm of which every task is scored."""

    def __init__(self, problem: Problem, next_arm: NextArm) -> None:
        self.problem, self._next_arm = problem, next_arm
        self._history = History(problem)

    def ask(self, count: int = 1, pending: Sequence[Pull] = ()) -> list[Pull]:
        history = self._history.expecting(pending) if pending else self._history
        plane = self.problem.plane
        pulls: list[Pull] = []
        left = [arm for arm in range(len(plane.arms())) if history.left(arm)]
        while left and len(pulls) < count:
            t = history.next_t + len(pulls)
            arm = self._next_arm(left, self.problem.stream(t))
            left.remove(arm)
            pulls.append(Pull(t, plane.arms()[arm], history.left(arm)))
        return pulls

    def tell(self, observation: Observation) -> None:
        self._history.tell(observation)

    def recommend(self) -> Recommendation:
        return self._history.best_measured()

    def gaps(self, draws: int) -> None:
        return None

    def posterior(self) -> None:
        return None
