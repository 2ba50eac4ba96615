"""A span of steps in which the sources of a text had the same shares."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mixed:
    """What was read in some steps of a training whose text has several sources.

    Args:
        first: Completed steps at which the span begins.
        end: Completed steps at which it ends; None where it does not.
        shares: Source → share of the blocks, >= 0, the sum of which is 1; a source that is left out has the share 0.
    """

    first: int
    end: int | None
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.first < 0 or (self.end is not None and self.end <= self.first):
            raise ValueError(f"a span of steps goes from {self.first} to {self.end}")
        if not self.shares or min(self.shares.values()) < 0:
            raise ValueError(f"the shares of a span of steps are {dict(self.shares)}")
