"""The loop of policies that follow a fixed rule and believe nothing."""

from collections.abc import Callable, Sequence

import numpy as np

from tl_search.bandits.policy import Problem
from tl_search.bandits.record import Record
from tl_search.plane.pull import Observation, Pull, Recommendation

Rule = Callable[[list[int], np.random.Generator], int]
"""Chooses among the arms (rising positions) that have cells left."""


class RulePolicy:
    """Scores all tasks of one arm after another and names the best arm that is scored in full."""

    def __init__(self, problem: Problem, rule: Rule) -> None:
        self.problem, self._rule = problem, rule
        self._record = Record(problem)

    def ask(self, count: int = 1, pending: Sequence[Pull] = ()) -> list[Pull]:
        record = self._record.expecting(pending) if pending else self._record
        plane = self.problem.plane
        pulls: list[Pull] = []
        left = [arm for arm in range(len(plane.arms())) if record.left(arm)]
        while left and len(pulls) < count:
            t = record.next_t + len(pulls)
            arm = self._rule(left, self.problem.stream(t))
            left.remove(arm)
            pulls.append(Pull(t, plane.arms()[arm], record.left(arm)))
        return pulls

    def tell(self, observation: Observation) -> None:
        self._record.tell(observation)

    def recommend(self) -> Recommendation:
        return self._record.best_measured()

    def gaps(self, draws: int) -> None:
        return None

    def posterior(self) -> None:
        return None
