"""Checkpoints at a fixed interval that is counted from the start of each epoch."""

from dataclasses import dataclass
from typing import ClassVar

from tl_search.errors.limits import MOST_STEPS, between
from tl_search.plane.schedule import EpochSchedule
from tl_search.plane.spacing import regular


@dataclass(frozen=True)
class LinearSchedule(EpochSchedule):
    """A fixed interval, starting again in every epoch.

    Args:
        linear_interval: Steps between checkpoints, >= 1; null means a tenth of the epoch.

    Example:
        >>> LinearSchedule(first_epoch_checkpoints=None, linear_interval=20).steps(Horizon(50))
        (0, 20, 40, 50)
    """

    linear_interval: int | None = None

    DECIDES: ClassVar = {"steps": "linear_interval"}

    def __post_init__(self) -> None:
        super().__post_init__()
        between(1, MOST_STEPS, linear_interval=self.linear_interval)

    def in_epoch(self, start: int, end: int) -> range:
        length = end - start + (start > 0)  # in optimizer steps: step 0 comes before the first one
        return regular("linear_interval", self.linear_interval or max(1, length // 10), start, end)
