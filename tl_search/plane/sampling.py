"""Which of the written revisions a search looks at. The first and the last are always among them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tl_search.plane.revision import Revision


class Sampling(Protocol):
    """Picks revisions, which come and go by rising step."""

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]: ...


@dataclass(frozen=True)
class Sparse:
    """A few revisions, evenly spread over the logarithm of the step: for a first look.

    Args:
        count: How many at most, >= 2.
    """

    count: int = 8

    def __post_init__(self) -> None:
        _at_least_two(self.count)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        return _nearest(revisions, self.count, math.log1p)


@dataclass(frozen=True)
class Log:
    """Many revisions, evenly spread over the logarithm of the step: dense where training changes fastest.

    Args:
        count: How many at most, >= 2.
    """

    count: int = 28

    def __post_init__(self) -> None:
        _at_least_two(self.count)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        return _nearest(revisions, self.count, math.log1p)


@dataclass(frozen=True)
class Uniform:
    """Revisions evenly spread over the steps.

    Args:
        count: How many at most, >= 2.
    """

    count: int = 29

    def __post_init__(self) -> None:
        _at_least_two(self.count)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        return _nearest(revisions, self.count, float)


@dataclass(frozen=True)
class Dense:
    """Every revision.

    Args:
        interval: Leave out revisions closer than this many steps to the one before; 0 keeps all.
    """

    interval: int = 0

    def __post_init__(self) -> None:
        if self.interval < 0:
            raise ValueError(f"interval: must be >= 0, got {self.interval}")

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        if len(revisions) < 2:
            return tuple(revisions)
        first, *inner, last = revisions
        kept = [first]
        for revision in inner:
            if min(revision.step - kept[-1].step, last.step - revision.step) >= self.interval:
                kept.append(revision)
        return (*kept, last)


def _at_least_two(count: int) -> None:
    if count < 2:
        raise ValueError(f"count: must be >= 2, got {count}")


def _nearest(revisions: Sequence[Revision], count: int, axis: Callable[[float], float]) -> tuple[Revision, ...]:
    """The revisions nearest to `count` points evenly spread over `axis`, each at most once."""
    if len(revisions) <= count:
        return tuple(revisions)
    places = [axis(revision.step) for revision in revisions]
    low, high = places[0], places[-1]
    picked = set()
    for number in range(count):
        target = low + (high - low) * number / (count - 1)
        picked.add(min(range(len(places)), key=lambda place: (abs(places[place] - target), place)))
    return tuple(revisions[place] for place in sorted(picked))
