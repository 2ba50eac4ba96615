"""At which training steps a checkpoint is written. A step is the number of *completed optimizer steps*.

Step 0, every epoch's end and the last step belong to every schedule; no thinning removes them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Protocol


@dataclass(frozen=True)
class Horizon:
    """How long a run is.

    Args:
        total: Its last step.
        epoch_ends: The step at which each epoch ends, rising; empty, or one that stops before `total`, is
            completed with `total`, since the last epoch ends with the run.
    """

    total: int
    epoch_ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.total < 1:
            raise ValueError(f"total: must be >= 1, got {self.total}")
        ends = (*(end for end in self.epoch_ends if end < self.total), self.total)
        if any(later <= earlier for earlier, later in pairwise((0, *ends))):
            raise ValueError(f"epoch_ends: must rise from above 0, got {list(self.epoch_ends)}")
        object.__setattr__(self, "epoch_ends", ends)

    @property
    def pinned(self) -> set[int]:
        return {0, *self.epoch_ends}


class Schedule(Protocol):
    """Knows the steps at which a run of a given horizon writes a revision."""

    def steps(self, horizon: Horizon) -> tuple[int, ...]: ...


class LogMode(Enum):
    """`gaps`: the *gaps* grow by the base (0, 2, 6, 14, 30, …); `offset`: the offsets do (2, 4, 8, 16, …)."""

    gaps = "gaps"
    offset = "offset"


@dataclass(frozen=True)
class LogSchedule:
    """Dense where training changes fastest: gaps that grow by a base, anew in every epoch.

    Args:
        first_epoch_checkpoints: How many revisions the first epoch gets, evenly spread from step 0 to its end; null
            spaces the first epoch like the others. 0 and 1 leave only the epoch's end (and step 0).
        log_base: Ratio of neighbouring gaps, > 1.
        log_mode: What grows by the base: gaps or offsets.
        min_checkpoint_interval: Least distance of two revisions in steps; pinned steps stay in any case.

    Example:
        >>> LogSchedule(first_epoch_checkpoints=None).steps(Horizon(50))
        (0, 2, 6, 14, 30, 50)
    """

    first_epoch_checkpoints: int | None = 20
    log_base: float = 2.0
    log_mode: LogMode = LogMode.gaps
    min_checkpoint_interval: int = 0

    def __post_init__(self) -> None:
        _check_counts(self.first_epoch_checkpoints, self.min_checkpoint_interval)
        if not self.log_base > 1:  # also refuses NaN
            raise ValueError(f"log_base: must be > 1, got {self.log_base:g}")

    def steps(self, horizon: Horizon) -> tuple[int, ...]:
        steps = _first_epoch(self.first_epoch_checkpoints, horizon)
        for start, end in _later_epochs(self.first_epoch_checkpoints, horizon):
            offset, gap = (0.0, self.log_base) if self.log_mode is LogMode.gaps else (self.log_base, 0.0)
            steps.add(start)
            while start + int(offset) < end:
                steps.add(start + int(offset))
                offset, gap = (offset + gap, gap * self.log_base) if gap else (offset * self.log_base, 0.0)
        return _thin(steps | horizon.pinned, horizon.pinned, self.min_checkpoint_interval)


@dataclass(frozen=True)
class LinearSchedule:
    """Revisions at a fixed interval.

    Args:
        first_epoch_checkpoints: As in LogSchedule.
        linear_interval: Steps between revisions, >= 1; null means a tenth of the epoch.
        min_checkpoint_interval: As in LogSchedule.

    Example:
        >>> LinearSchedule(first_epoch_checkpoints=None, linear_interval=20).steps(Horizon(50))
        (0, 20, 40, 50)
    """

    first_epoch_checkpoints: int | None = 20
    linear_interval: int | None = None
    min_checkpoint_interval: int = 0

    def __post_init__(self) -> None:
        _check_counts(self.first_epoch_checkpoints, self.min_checkpoint_interval)
        if self.linear_interval is not None and self.linear_interval < 1:
            raise ValueError(f"linear_interval: must be >= 1, got {self.linear_interval}")

    def steps(self, horizon: Horizon) -> tuple[int, ...]:
        steps = _first_epoch(self.first_epoch_checkpoints, horizon)
        for start, end in _later_epochs(self.first_epoch_checkpoints, horizon):
            interval = self.linear_interval or max(1, (end - start + 1) // 10)
            steps.update(range(start, end, interval))
        return _thin(steps | horizon.pinned, horizon.pinned, self.min_checkpoint_interval)


def _check_counts(first_epoch_checkpoints: int | None, min_checkpoint_interval: int) -> None:
    if first_epoch_checkpoints is not None and first_epoch_checkpoints < 0:
        raise ValueError(f"first_epoch_checkpoints: must be >= 0, got {first_epoch_checkpoints}")
    if min_checkpoint_interval < 0:
        raise ValueError(f"min_checkpoint_interval: must be >= 0, got {min_checkpoint_interval}")


def _first_epoch(count: int | None, horizon: Horizon) -> set[int]:
    """`floor(i·S/(n−1))` for an epoch of S steps and n checkpoints."""
    if count is None or count < 2:
        return set()
    return {number * horizon.epoch_ends[0] // (count - 1) for number in range(count)}


def _later_epochs(first_epoch_checkpoints: int | None, horizon: Horizon) -> list[tuple[int, int]]:
    """(first step, last step) of every epoch that is spaced by the schedule's own rule."""
    later = [(before + 1, end) for before, end in pairwise(horizon.epoch_ends)]
    return later if first_epoch_checkpoints is not None else [(0, horizon.epoch_ends[0]), *later]


def _thin(steps: Iterable[int], pinned: set[int], interval: int) -> tuple[int, ...]:
    """Drop free steps closer than `interval` to a kept step before them or a pinned one after them."""
    kept: list[int] = []
    for step in sorted(steps):
        near_before = bool(kept) and step - kept[-1] < interval
        near_pinned = any(0 <= pin - step < interval for pin in pinned)
        if step in pinned or not (near_before or near_pinned):
            kept.append(step)
    return tuple(kept)
