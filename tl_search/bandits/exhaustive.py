"""Every cell of the plane: what a search is measured against, and the way to record a plane for replay."""

from dataclasses import dataclass
from typing import ClassVar

from tl_search.bandits.order import RulePolicy
from tl_search.bandits.policy import Policy, Problem


@dataclass(frozen=True)
class Exhaustive:
    """Column after column in training order, each from layer 0 up, all tasks of each arm."""

    budgeted: ClassVar[bool] = False  # a budget would make it something else than what its name says

    def start(self, problem: Problem) -> Policy:
        return RulePolicy(problem, lambda left, _: left[0])
