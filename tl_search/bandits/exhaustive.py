"""Scores every cell of the plane; other policies are compared with this, and it records a plane for replay."""

from dataclasses import dataclass
from typing import ClassVar

from tl_search.bandits.fixed_order import FixedOrder
from tl_search.bandits.policy import Policy, PolicyConfig, Problem


@dataclass(frozen=True)
class Exhaustive(PolicyConfig):
    """Column after column in training order, each from layer 0 up, all tasks of each arm."""

    budgeted: ClassVar[bool] = False  # under a budget it would not score every cell

    def start(self, problem: Problem) -> Policy:
        return FixedOrder(problem, lambda left, _: left[0])
