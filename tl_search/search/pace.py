"""When a callback measures the model that is being trained, and how much of the run's time that may take."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from tl_search.errors.limits import MOST_SECONDS, MOST_STEPS, between, not_negative


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Which steps are measured while training goes on, and how much of the run's time that may take.

    A step for which there is no time is measured later from its revision, if it has one. Which steps have to wait
    depends on the machine's speed, unless `share` is None. A measurement that has begun is always finished.

    Args:
        every: Steps between two measurements, with step 0 and the last step; None: every scheduled checkpoint.
        share: A measurement begins only while all of them (with logging and drawing) have taken at most this share of
            the run's time, in (0, 1]; None: there is no limit, as a `monitor` of what is measured needs it.
        final_seconds: Seconds after the last step, >= 0, in which measurements may begin regardless of `share`: first
            that of the last step, then those of the steps that were postponed.
    """

    every: int | None = None
    share: float | None = 0.2
    final_seconds: float = 60.0

    DECIDES: ClassVar = {"files": "every share final_seconds"}

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ValueError(f"every: must be >= 1 or null, got {self.every}")
        if self.share is not None and not 0 < self.share <= 1:  # also refuses NaN
            raise ValueError(f"share: must be above 0 and at most 1, or null, got {self.share}")
        not_negative(MOST_SECONDS, final_seconds=self.final_seconds)
        between(1, MOST_STEPS, every=self.every)

    def due(self, scheduled: Collection[int], last: int) -> frozenset[int]:
        """The steps that are to be measured.

        Args:
            scheduled: The steps of the schedule.
            last: The last step of the run.
        """
        return frozenset(scheduled) if self.every is None else frozenset({*range(0, last, self.every), last})

    def allows(self, spent: float, elapsed: float) -> bool:
        """Whether another measurement may begin.

        Args:
            spent: Seconds that measurements have taken so far.
            elapsed: Seconds that the run has taken so far.
        """
        return self.share is None or spent <= self.share * elapsed
