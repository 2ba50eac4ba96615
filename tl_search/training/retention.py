"""When a training state is due, and which states are kept."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from tl_search.errors.limits import MOST_SECONDS, MOST_STEPS, between


class RevisionWeights(Enum):
    """Which weights a run's revisions hold: those that are trained, or their exponential moving average."""

    raw = "raw"
    ema = "ema"


@dataclass(frozen=True)
class Checkpointing:
    """The full states of a run: weights, optimizer, position in the data and everything else that resuming needs.

    Some states are kept whatever these settings say: those of the last step and of the best evaluations, and, in a run
    that was resumed with other settings, those that were marked to be kept or that a pointer names.

    Args:
        save_interval: Steps between two states; a killed run loses the steps since the last state on disk.
        save_minutes: A state is also due when the last one is so many minutes old; None goes by steps alone.
        save_last: How many of the newest states are kept, >= 1; the second is there if the first one is damaged.
        every_n_scheduled: The state of every n-th scheduled step is never removed; None: all may be.
        weights: Which weights revisions hold and eval losses are measured on.
        asynchronous: Whether a thread writes while training goes on; False makes training wait for the disk.
    """

    save_interval: int = 500
    save_minutes: float | None = None
    save_last: int = 2
    every_n_scheduled: int | None = None
    weights: RevisionWeights = RevisionWeights.raw
    asynchronous: bool = True

    DECIDES: ClassVar = {
        "weights": "weights",
        "files": "save_interval save_minutes save_last every_n_scheduled",
        "free": "asynchronous",
    }

    def __post_init__(self) -> None:
        between(1, MOST_STEPS, save_interval=self.save_interval, save_last=self.save_last)
        if self.every_n_scheduled is not None and self.every_n_scheduled < 1:
            raise ValueError(f"every_n_scheduled: must be >= 1 or null, got {self.every_n_scheduled}")
        if self.save_minutes is not None and not 0 < self.save_minutes < math.inf:
            raise ValueError(f"save_minutes: must be a finite number > 0 or null, got {self.save_minutes}")
        between(0, MOST_SECONDS, save_minutes=self.save_minutes)
        between(1, MOST_STEPS, every_n_scheduled=self.every_n_scheduled)

    def due(self, step: int, minutes: float) -> bool:
        """Whether a state is due at a step, when the last one is so many minutes old."""
        return step % self.save_interval == 0 or (self.save_minutes is not None and minutes >= self.save_minutes)

    def for_good(self, schedule: Collection[int]) -> frozenset[int]:
        """The scheduled steps whose state is never removed; step 0 has no state worth keeping."""
        if self.every_n_scheduled is None:
            return frozenset()
        steps = sorted(step for step in schedule if step)
        return frozenset(steps[self.every_n_scheduled - 1 :: self.every_n_scheduled])

    def doomed(self, states: Collection[int], kept: Collection[int]) -> list[int]:
        """Steps whose states are removed: all but the newest few and those in `kept`."""
        return [step for step in sorted(states)[: -self.save_last] if step not in kept]
