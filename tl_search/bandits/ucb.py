"""Optimism: the arm whose score could be highest."""

from dataclasses import dataclass

import numpy as np

from tl_search.bandits.gp import GPPolicy
from tl_search.bandits.policy import Policy, Problem
from tl_search.bandits.posterior import Posterior
from tl_search.bandits.rungs import check_cuts


@dataclass(frozen=True)
class UCB:
    """Upper confidence bound: puts up the arm of the largest mean + beta·sd (Srinivas et al., 2010).

    Args:
        beta: Standard deviations of optimism, >= 0.
        shares: Cuts between price groups of tasks, as rising parts of the price of all tasks.
        first: Least number of tasks in the cheapest group, >= 1.
    """

    beta: float = 2.0
    shares: tuple[float, ...] = (0.03, 0.12, 0.4)
    first: int = 3

    def __post_init__(self) -> None:
        if not self.beta >= 0:  # also refuses NaN
            raise ValueError(f"beta: must be >= 0, got {self.beta:g}")
        object.__setattr__(self, "shares", check_cuts(self.shares, self.first))

    def start(self, problem: Problem) -> Policy:
        return GPPolicy(problem, self._index, self.shares, self.first)

    def _index(self, belief: Posterior, _: np.random.Generator) -> np.ndarray:
        return (belief.mean() + self.beta * belief.sd())[:, None]
