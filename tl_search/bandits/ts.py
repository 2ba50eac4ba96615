"""Chance: the arms that are best in draws of what the plane may look like."""

from dataclasses import dataclass

import numpy as np

from tl_search.bandits.gp import GPPolicy
from tl_search.bandits.policy import Policy, Problem
from tl_search.bandits.posterior import Posterior
from tl_search.bandits.rungs import check_cuts


@dataclass(frozen=True)
class TS:
    """Thompson sampling: puts up the best arm of each of several draws of the objective (Thompson, 1933).

    Args:
        draws: How many, >= 1.
        shares: Cuts between price groups of tasks, as rising parts of the price of all tasks.
        first: Least number of tasks in the cheapest group, >= 1.
    """

    draws: int = 8
    shares: tuple[float, ...] = (0.03, 0.12, 0.4)
    first: int = 3

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws: must be >= 1, got {self.draws}")
        object.__setattr__(self, "shares", check_cuts(self.shares, self.first))

    def start(self, problem: Problem) -> Policy:
        return GPPolicy(problem, self._index, self.shares, self.first)

    def _index(self, belief: Posterior, generator: np.random.Generator) -> np.ndarray:
        return belief.draws(generator, self.draws)
