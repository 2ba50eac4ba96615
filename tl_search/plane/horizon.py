"""How long a training run is, and which of its steps are pinned: a schedule holds them, whatever its rule.

A step is the number of *completed optimizer steps*: 0 is the model before training, `total` the final one.
"""

from dataclasses import dataclass
from itertools import pairwise

from tl_search.errors.limits import MOST_STEPS, between


@dataclass(frozen=True)
class Horizon:
    """How long a run is.

    Args:
        total: Last step of the run.
        epoch_ends: The step at which each epoch ends, rising. Steps from `total` on are replaced by `total`, and
            `total` is added where it is missing, because the last epoch ends with the run.
    """

    total: int
    epoch_ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        between(1, MOST_STEPS, total=self.total)
        if any(later <= earlier for earlier, later in pairwise((0, *self.epoch_ends))):
            raise ValueError(f"epoch_ends: must rise from above 0, got {list(self.epoch_ends)}")
        ends = (*(end for end in self.epoch_ends if end < self.total), self.total)
        object.__setattr__(self, "epoch_ends", ends)

    @property
    def pinned(self) -> set[int]:
        """Step 0, the epochs' ends and the last step."""
        return {0, *self.epoch_ends}

    @property
    def epochs(self) -> tuple[tuple[int, int], ...]:
        """(first step, last step) of every epoch; step 0 belongs to the first."""
        later = ((before + 1, end) for before, end in pairwise(self.epoch_ends))
        return (0, self.epoch_ends[0]), *later
