"""Which of the written revisions a search looks at. Every sampling picks the last of them.

The rules of `Sparse`, `Uniform`, `Log` and `Dense` name steps of a run of 143000 steps, the length of the Pythia runs.
For a run of another length, these steps are scaled with its last step. The revision nearest to each is picked, and if
these are fewer than six, others are added until there are six or no more.

To add a sampling, write a file with a frozen dataclass that has the method `pick` of `Sampling`, and
`conf/sampling/NAME.yaml`, which names the class in `_target_` and lists its fields. Nothing else knows a sampling by
name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tl_search.errors.limits import MOST_STEPS, between
from tl_search.errors.nearest import suggest
from tl_search.plane.revision import Revision, step_of

REFERENCE = 143_000  # the last step of the run whose steps the rules name
FEWEST = 6  # revisions that a rule picks where there are so many


class Sampling(Protocol):
    """Picks revisions."""

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        """Some of the revisions, each once. Both the argument and the result are in the order of their steps."""


@dataclass(frozen=True)
class Spread:
    """A sampling with a rule, or with `count` revisions that are evenly spread between the first and the last.

    Args:
        count: Number of revisions to pick, >= 2, instead of the rule; fewer where there are fewer, or where two points
            have the same nearest revision. None: the rule.
        first: Whether the first revision, mostly the random weights of step 0, is picked as well. With `count`, it
            always is.
    """

    count: int | None = None
    first: bool = False

    DECIDES: ClassVar = {"files": "count first"}

    def __post_init__(self) -> None:
        between(2, 10**6, count=self.count)

    def axis(self, step: int) -> float:
        """The coordinate of a step on the axis over which `count` revisions are evenly spread."""
        return math.log1p(step)

    def rule(self) -> Sequence[float]:
        """The steps that the rule names for a run of `REFERENCE` steps, without the last one."""
        raise NotImplementedError

    def targets(self, last: int) -> tuple[float, ...]:
        """The steps that the rule names for a run with this last step, rising, the last one included; () with count."""
        if self.count is not None:
            return ()
        scaled = (step * last / REFERENCE for step in self.rule())
        return (*(step for step in scaled if step < last), float(last))

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        places = [self.axis(revision.step) for revision in revisions]
        if self.count is not None:
            return _at(revisions, _even(places, self.count))
        picked = {_nearest(revisions, step) for step in self.targets(revisions[-1].step)}
        return _at(revisions, _filled(picked | ({0} if self.first else set()), revisions))


@dataclass(frozen=True)
class Sparse(Spread):
    """Steps 1000, 2000, 5000, 10000, 20000, 40000, 80000 and the last one: for a first look.

    With `count`, revisions are evenly spread over log(1 + step).
    """

    def rule(self) -> Sequence[float]:
        return 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000


@dataclass(frozen=True)
class Log(Spread):
    """Every 1000 steps up to 10000, every 5000 up to 50000, every 10000 after that, and the last step.

    With `count`, revisions are evenly spread over log(1 + step): a geometric series.
    """

    def rule(self) -> Sequence[float]:
        early, middle, late = (1_000, 10_001, 1_000), (15_000, 50_001, 5_000), (60_000, REFERENCE, 10_000)
        return [*range(*early), *range(*middle), *range(*late)]


@dataclass(frozen=True)
class Uniform(Spread):
    """Every 5000 steps, and the last one. With `count`, revisions are evenly spread over the steps.

    Args:
        interval: Distance of the steps, >= 1, in steps of this run, not scaled; None: 5000 steps of every 143000.
    """

    interval: int | None = None

    DECIDES: ClassVar = {"files": "interval"}

    def __post_init__(self) -> None:
        super().__post_init__()
        between(1, MOST_STEPS, interval=self.interval)
        if self.interval is not None and self.count is not None:
            raise ValueError(f"count: must be null where interval is given, got {self.count}")

    def axis(self, step: int) -> float:
        return float(step)

    def rule(self) -> Sequence[float]:
        return range(5_000, REFERENCE, 5_000)

    def targets(self, last: int) -> tuple[float, ...]:
        return super().targets(last) if self.interval is None else _regular(self.interval, last)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        return super().pick(revisions) if self.interval is None else _literally(self, revisions)


@dataclass(frozen=True)
class Dense:
    """Every 1000 steps, and the last one.

    Args:
        interval: Distance of the steps, in steps of this run, not scaled; 0: all revisions. None: 1000 steps of every
            143000.
        first: Whether the first revision is picked, and the interval is counted from each picked revision, as its least
            distance from the one before and from the last one.
    """

    interval: int | None = None
    first: bool = False

    DECIDES: ClassVar = {"files": "interval first"}

    def __post_init__(self) -> None:
        between(0, MOST_STEPS, interval=self.interval)

    def targets(self, last: int) -> tuple[float, ...]:
        """As in `Spread`; () if the rule names no steps, but distances."""
        if self.interval is None:
            return _regular(1_000 * last / REFERENCE, last)
        return () if self.first or not self.interval else _regular(self.interval, last)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        if self.interval is None:
            picked = {_nearest(revisions, step) for step in self.targets(revisions[-1].step)}
            return _at(revisions, _filled(picked | ({0} if self.first else set()), revisions))
        if len(revisions) < 2 or not self.interval:
            return tuple(revisions)
        if not self.first:
            return _literally(self, revisions)
        first, *inner, last = revisions
        kept = [first]
        for revision in inner:
            if min(revision.step - kept[-1].step, last.step - revision.step) >= self.interval:
                kept.append(revision)
        return (*kept, last)


@dataclass(frozen=True)
class All:
    """All revisions."""

    DECIDES: ClassVar = {"files": ""}

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        return tuple(revisions)


@dataclass(frozen=True)
class Listed:
    """The revisions of a list, in the order of training.

    Args:
        revisions: Names or steps; `main` is the last revision, and `step-1000` means step1000 where that is the name.
    """

    revisions: tuple[str | int, ...]

    DECIDES: ClassVar = {"files": "revisions"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "revisions", tuple(self.revisions))
        if not self.revisions:
            raise ValueError("revisions: must be at least one name or step, got none")
        steps = {f"revisions[{n}]": step for n, step in enumerate(self.revisions) if isinstance(step, int)}
        between(0, MOST_STEPS, **steps)

    def pick(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        """Those of the listed revisions that there are.

        Raises:
            ValueError: a name is none that a revision can have, or there is none of them.
        """
        wanted = {self._step(entry, revisions) for entry in self.revisions}
        found = tuple(revision for revision in revisions if revision.step in wanted)
        if not found:
            listed = ", ".join(map(str, self.revisions))
            raise ValueError(f"revisions: must list revisions that there are, got {listed}{_near(listed, revisions)}")
        return found

    def lacking(self, revisions: Sequence[Revision]) -> tuple[str, ...]:
        """Those of the listed revisions that there are not."""
        there = {revision.step for revision in revisions}
        return tuple(str(entry) for entry in self.revisions if self._step(entry, revisions) not in there)

    def _step(self, entry: str | int, revisions: Sequence[Revision]) -> int:
        if isinstance(entry, int):
            return entry
        if entry == "main":
            return revisions[-1].step
        step = next((revision.step for revision in revisions if revision.name == entry), step_of(entry))
        if step is None:
            raise ValueError(f"revisions: {entry!r} is no name of a revision{_near(entry, revisions)}")
        return step


def notes(sampling: Sampling, revisions: Sequence[Revision]) -> tuple[str, ...]:
    """What to tell of a sampling's steps at which there is no revision, so that the nearest ones are picked."""
    if not revisions or not hasattr(sampling, "targets"):
        return ()
    there = {revision.step for revision in revisions}
    exact = (round(step) for step in sampling.targets(revisions[-1].step))  # a short run has several at one step
    wanted = [step for step in dict.fromkeys(exact) if step not in there]
    if not wanted:
        return ()
    told = ", ".join(str(step) for step in wanted[:8]) + (f" and {len(wanted) - 8} more" if len(wanted) > 8 else "")
    return (f"there is no revision at step {told}; the nearest ones are taken",)


def _regular(interval: float, last: int) -> tuple[float, ...]:
    count = math.ceil(last / interval) if interval else 0
    return (*(number * interval for number in range(1, count)), float(last))


def _literally(sampling: Uniform | Dense, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    """The nearest revisions of the sampling's steps, and no others but the first if it says so."""
    picked = {_nearest(revisions, step) for step in sampling.targets(revisions[-1].step)}
    return _at(revisions, picked | ({0} if sampling.first else set()))


def _at(revisions: Sequence[Revision], places: set[int]) -> tuple[Revision, ...]:
    return tuple(revisions[place] for place in sorted(places))


def _nearest(revisions: Sequence[Revision], step: float) -> int:
    """The place of the revision nearest to a step; the earlier one of two equally near."""
    return min(range(len(revisions)), key=lambda place: (abs(revisions[place].step - step), place))


def _even(places: Sequence[float], count: int) -> set[int]:
    """The numbers of the places nearest to `count` evenly spaced points; the earlier one of two equally near."""
    if len(places) <= count:
        return set(range(len(places)))
    low, high = places[0], places[-1]
    targets = [low + (high - low) * number / (count - 1) for number in range(count)]
    return {min(range(len(places)), key=lambda place: (abs(places[place] - target), place)) for target in targets}


def _filled(picked: set[int], revisions: Sequence[Revision]) -> set[int]:
    """With more revisions, each the farthest in log(1 + step) from all that are picked, until there are `FEWEST`."""
    places = [math.log1p(revision.step) for revision in revisions]
    while len(picked) < min(FEWEST, len(revisions)):
        rest = [place for place in range(len(revisions)) if place not in picked]
        distances = {place: min(abs(places[place] - places[other]) for other in picked) for place in rest}
        picked = picked | {max(rest, key=lambda place: (distances[place], -place))}
    return picked


def _near(name: str, revisions: Sequence[Revision]) -> str:
    return suggest(name, [revision.name for revision in revisions])
