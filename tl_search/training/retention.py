"""When a training state is due, and which of those on disk are kept."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class RevisionWeights(Enum):
    """Which weights a run's revisions hold."""

    raw = "raw"
    ema = "ema"


@dataclass(frozen=True)
class Checkpointing:
    """The full states of a run: weights, optimizer, position in the data, everything that resuming needs.

    The states of the last step and of every best evaluation are kept whatever this says, and so is, when a run goes on
    with other settings, what was kept for good before and what a pointer still names.

    Args:
        save_interval: Steps between states: what a kill can cost, beside those that were made while one was written.
        save_minutes: A state is due after so many minutes without one, too; None goes by steps alone.
        save_last: Newest of these states that are kept, at least 1; a second is there to fall back on.
        every_n_scheduled: The state of every n-th scheduled step is kept for good, to branch from; None keeps none.
        weights: What revisions hold and eval losses are measured on: the trained weights or their average.
        asynchronous: Written by a thread while training goes on; False waits for the disk.
    """

    save_interval: int = 500
    save_minutes: float | None = None
    save_last: int = 2
    every_n_scheduled: int | None = None
    weights: RevisionWeights = RevisionWeights.raw
    asynchronous: bool = True

    def __post_init__(self) -> None:
        for name in ("save_interval", "save_last"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be >= 1, got {getattr(self, name)}")
        if self.every_n_scheduled is not None and self.every_n_scheduled < 1:
            raise ValueError(f"every_n_scheduled: must be >= 1 or null, got {self.every_n_scheduled}")
        if self.save_minutes is not None and not 0 < self.save_minutes < math.inf:
            raise ValueError(f"save_minutes: must be a finite number > 0 or null, got {self.save_minutes}")

    def due(self, step: int, minutes: float) -> bool:
        """Whether a state is due at a step, so many minutes after the latest one."""
        return step % self.save_interval == 0 or (self.save_minutes is not None and minutes >= self.save_minutes)

    def for_good(self, schedule: Collection[int]) -> frozenset[int]:
        """Of the scheduled steps, those whose state is kept for good; step 0 has nothing to go on from."""
        if self.every_n_scheduled is None:
            return frozenset()
        steps = sorted(step for step in schedule if step)
        return frozenset(steps[self.every_n_scheduled - 1 :: self.every_n_scheduled])

    def doomed(self, states: Collection[int], kept: Collection[int]) -> list[int]:
        """Steps whose states go: all but the newest few and those in `kept`."""
        return [step for step in sorted(states)[: -self.save_last] if step not in kept]
