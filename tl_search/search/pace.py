"""When a callback looks at the model that is being trained, and how much of the run's time that may take."""

import math
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pace:
    """At every scheduled checkpoint, as long as there is time.

    Which checkpoints are looked at *when they are due* depends on the machine's speed, unless `share` is None. The
    others are taken up from their written revisions as soon as there is time; of a step without one nothing is left.
    A look that has begun is finished, however long it takes.

    Args:
        every: Steps between looks, step 0 and the last included; None looks at every scheduled checkpoint.
        share: A look begins only while all of it (finding, measuring, logging, drawing) has taken at most this share
            of the run's time, in (0, 1]; None looks at once, always, which what a `monitor` decides should rest on.
        final_seconds: For so long from the last step's end, looks may begin whatever the share: first at that step,
            then at those put off, >= 0.
    """

    every: int | None = None
    share: float | None = 0.2
    final_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ValueError(f"every: must be >= 1 or null, got {self.every}")
        if self.share is not None and not 0 < self.share <= 1:  # also refuses NaN
            raise ValueError(f"share: must be above 0 and at most 1, or null, got {self.share}")
        if not 0 <= self.final_seconds < math.inf:
            raise ValueError(f"final_seconds: must be a finite number >= 0, got {self.final_seconds}")

    def due(self, scheduled: Collection[int], last: int) -> frozenset[int]:
        """The steps to look at."""
        return frozenset(scheduled) if self.every is None else frozenset({*range(0, last, self.every), last})

    def allows(self, spent: float, elapsed: float) -> bool:
        """Whether another look may begin, after so many seconds of looking in so many seconds of the run."""
        return self.share is None or spent <= self.share * elapsed
