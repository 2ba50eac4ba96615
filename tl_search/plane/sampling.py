"""Which of the written revisions a search looks at. Every sampling picks the first and the last of them.

To add a sampling, write a file with a frozen dataclass that has the method `pick` of `Sampling`, and
`conf/sampling/NAME.yaml`, which names the class in `_target_` and lists its fields. Nothing else knows a sampling by
name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tl_search.errors.limits import at_least
from tl_search.plane.revision import Revision


class Sampling(Protocol):
    """Picks revisions."""

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        """Some of the revisions, each once. Both the argument and the result are in the order of their steps."""


@dataclass(frozen=True)
class Uniform:
    """Up to `count` revisions, evenly spread over the steps.

    Args:
        count: Number of revisions to pick, >= 2; fewer where there are fewer, or where two points have the same
            nearest revision.
    """

    count: int = 29

    DECIDES: ClassVar = {"files": "count"}

    def __post_init__(self) -> None:
        at_least(2, count=self.count)

    def axis(self, step: int) -> float:
        """The coordinate of a step on the axis over which revisions are evenly spread."""
        return float(step)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        """The revisions nearest to `count` evenly spaced points on the axis; the earlier one of two equally near."""
        if len(revisions) <= self.count:
            return tuple(revisions)
        places = [self.axis(revision.step) for revision in revisions]
        low, high = places[0], places[-1]
        picked = set()
        for number in range(self.count):
            target = low + (high - low) * number / (self.count - 1)
            picked.add(min(range(len(places)), key=lambda place: (abs(places[place] - target), place)))
        return tuple(revisions[place] for place in sorted(picked))


@dataclass(frozen=True)
class Log(Uniform):
    """Up to `count` revisions, evenly spread over log(1 + step): dense where training changes fastest."""

    count: int = 28

    def axis(self, step: int) -> float:
        return math.log1p(step)


@dataclass(frozen=True)
class Sparse(Log):
    """The same as `Log`, with few revisions: for a first look."""

    count: int = 8


@dataclass(frozen=True)
class Dense:
    """Every revision, or every revision that keeps a distance.

    Args:
        interval: Least distance in steps from the revision before, and from the last one; 0 picks all revisions.
    """

    interval: int = 0

    DECIDES: ClassVar = {"files": "interval"}

    def __post_init__(self) -> None:
        at_least(0, interval=self.interval)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        if len(revisions) < 2:
            return tuple(revisions)
        first, *inner, last = revisions
        kept = [first]
        for revision in inner:
            if min(revision.step - kept[-1].step, last.step - revision.step) >= self.interval:
                kept.append(revision)
        return (*kept, last)
