"""Upper confidence bound: it decides which arms are candidates.

At each decision the arm of the largest mean + beta·sd is a candidate, and so is the largest among the arms of columns
that are already opened. Mean and sd are those of the Gaussian process in `posterior`. Which candidate is scored, and on
which tasks, is not decided here: `gp` hands the candidates to `knowledge_gradient`, which chooses the candidate and the
groups of tasks (`task_groups`, by price) that promise the most improvement per second.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tl_search.bandits.gp import GPPolicy
from tl_search.bandits.policy import Policy, PolicyConfig, Problem
from tl_search.bandits.posterior import Posterior
from tl_search.bandits.task_groups import check_cuts


@dataclass(frozen=True)
class UCB(PolicyConfig):
    """Upper confidence bound: candidates have the largest mean + beta·sd (Srinivas et al., 2010).

    Args:
        beta: Weight of the standard deviation, >= 0: the larger, the more is explored.
        shares: Where tasks, by rising price, are cut into groups: rising parts of the price of all tasks, in (0, 1).
        first: Least number of tasks in the cheapest group, >= 1.
    """

    beta: float = 2.0
    shares: tuple[float, ...] = (0.03, 0.12, 0.4)
    first: int = 3

    DECIDES: ClassVar = {"files": "beta shares first"}

    def __post_init__(self) -> None:
        if not self.beta >= 0:  # also refuses NaN
            raise ValueError(f"beta: must be >= 0, got {self.beta:g}")
        object.__setattr__(self, "shares", check_cuts(self.shares, self.first))

    def start(self, problem: Problem) -> Policy:
        return GPPolicy(problem, self._rank, self.shares, self.first)

    def _rank(self, posterior: Posterior, _: np.random.Generator) -> np.ndarray:
        return (posterior.mean() + self.beta * posterior.sd())[:, None]
