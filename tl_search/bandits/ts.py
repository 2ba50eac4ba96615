"""Thompson sampling: it decides which arms are candidates.

At each decision it draws the objective of all arms several times from the Gaussian process in `posterior`. The best arm
of each draw is a candidate, and so is the best among the arms of columns that are already opened. Which candidate is
scored, and on which tasks, is not decided here: `gp` hands the candidates to `knowledge_gradient`, which chooses the
candidate and the groups of tasks (`task_groups`, by price) that promise the most improvement per second.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tl_search.bandits.gp import GPConfig
from tl_search.bandits.posterior import Posterior
from tl_search.errors.limits import between


@dataclass(frozen=True)
class TS(GPConfig):
    """Thompson sampling: candidates are the best arms of several draws from the posterior (Thompson, 1933).

    Args:
        draws: How many, >= 1.
    """

    draws: int = 8

    DECIDES: ClassVar = {"files": "draws"}

    def __post_init__(self) -> None:
        between(1, 10**5, draws=self.draws)
        super().__post_init__()

    def rank(self, posterior: Posterior, generator: np.random.Generator) -> np.ndarray:
        return posterior.draws(generator, self.draws)
