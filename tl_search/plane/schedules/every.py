"""Checkpoints at a fixed interval that is counted over the whole run."""

from dataclasses import dataclass
from typing import ClassVar

from tl_search.errors.limits import MOST_STEPS, between
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import SpacedSchedule
from tl_search.plane.spacing import regular


@dataclass(frozen=True)
class EverySchedule(SpacedSchedule):
    """A fixed interval over the whole run; epochs do not start it again.

    Args:
        interval: Steps between checkpoints, >= 1.

    Example:
        >>> EverySchedule(interval=20).steps(Horizon(50))
        (0, 20, 40, 50)
    """

    interval: int = 100

    DECIDES: ClassVar = {"steps": "interval"}

    def __post_init__(self) -> None:
        super().__post_init__()
        between(1, MOST_STEPS, interval=self.interval)

    def spaced(self, horizon: Horizon) -> set[int]:
        return set(regular("interval", self.interval, 0, horizon.total))
