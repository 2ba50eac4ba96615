"""Thompson sampling: it decides which arms are candidates.

At each decision it draws the objective of all arms several times from the Gaussian process in `posterior`. The best arm
of each draw is a candidate, and so is the best among the arms of columns that are already opened. Which candidate is
scored, and on which tasks, is not decided here: `gp` hands the candidates to `knowledge_gradient`, which chooses the
candidate and the groups of tasks (`task_groups`, by price) that promise the most improvement per second.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tl_search.bandits.gp import GPPolicy
from tl_search.bandits.policy import Policy, PolicyConfig, Problem
from tl_search.bandits.posterior import Posterior
from tl_search.bandits.task_groups import check_cuts


@dataclass(frozen=True)
class TS(PolicyConfig):
    """Thompson sampling: candidates are the best arms of several draws from the posterior (Thompson, 1933).

    Args:
        draws: How many, >= 1.
        shares: Where tasks, by rising price, are cut into groups: rising parts of the price of all tasks, in (0, 1).
        first: Least number of tasks in the cheapest group, >= 1.
    """

    draws: int = 8
    shares: tuple[float, ...] = (0.03, 0.12, 0.4)
    first: int = 3

    DECIDES: ClassVar = {"files": "draws shares first"}

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws: must be >= 1, got {self.draws}")
        object.__setattr__(self, "shares", check_cuts(self.shares, self.first))

    def start(self, problem: Problem) -> Policy:
        return GPPolicy(problem, self._rank, self.shares, self.first)

    def _rank(self, posterior: Posterior, generator: np.random.Generator) -> np.ndarray:
        return posterior.draws(generator, self.draws)
