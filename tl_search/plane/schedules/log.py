"""Checkpoints that are dense where training changes fastest: at the start of every epoch."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from tl_search.errors.limits import between
from tl_search.plane.schedule import EpochSchedule
from tl_search.plane.spacing import growing_gaps, growing_offsets


class LogMode(Enum):
    """`gaps`: the gaps between steps grow (0, 2, 6, 14, 30, …). `offset`: the offsets do (2, 4, 8, 16, …)."""

    gaps = "gaps"
    offset = "offset"


@dataclass(frozen=True)
class LogSchedule(EpochSchedule):
    """Gaps that grow by a constant factor, starting again in every epoch.

    Args:
        log_base: The factor: the ratio of neighbouring gaps (or offsets), >= 1.001.
        log_mode: What grows by the factor: the gaps between steps, or the steps' offsets from the epoch's start.

    Example:
        >>> LogSchedule(first_epoch_checkpoints=None).steps(Horizon(50))
        (0, 2, 6, 14, 30, 50)
    """

    log_base: float = 2.0
    log_mode: LogMode = LogMode.gaps

    DECIDES: ClassVar = {"steps": "log_base log_mode"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.log_base > 1:  # also refuses NaN
            raise ValueError(f"log_base: must be > 1, got {self.log_base:g}")
        between(1.001, 10**9, log_base=self.log_base)  # below, gaps hardly grow: nearly every step, after a long time

    def in_epoch(self, start: int, end: int) -> set[int]:
        return (growing_gaps if self.log_mode is LogMode.gaps else growing_offsets)(self.log_base, start, end)
