"""Upper confidence bound: it decides which arms are candidates.

At each decision the arm of the largest mean + beta·sd is a candidate, and so is the largest among the arms of columns
that are already opened. Mean and sd are those of the Gaussian process in `posterior`. Which candidate is scored, and on
which tasks, is not decided here: `gp` hands the candidates to `knowledge_gradient`, which chooses the candidate and the
groups of tasks (`task_groups`, by price) that promise the most improvement per second.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tl_search.bandits.gp import GPConfig
from tl_search.bandits.posterior import Posterior
from tl_search.errors.limits import between


@dataclass(frozen=True)
class UCB(GPConfig):
    """Upper confidence bound: candidates have the largest mean + beta·sd (Srinivas et al., 2010).

    Args:
        beta: Weight of the standard deviation, >= 0: the larger, the more is explored.
    """

    beta: float = 2.0

    DECIDES: ClassVar = {"files": "beta"}

    def __post_init__(self) -> None:
        between(0, 10**9, beta=self.beta)
        super().__post_init__()

    def rank(self, posterior: Posterior, generator: np.random.Generator) -> np.ndarray:
        return (posterior.mean() + self.beta * posterior.sd())[:, None]
