"""The arithmetic of schedules: sets of steps, and what their numbers must keep, as plain functions."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set

MOST = 1_000_000  # checkpoints of one rule: more is a slip, and would fill the memory


def evenly(count: int, last: int) -> set[int]:
    """`floor(i·S/(n−1))`: n steps from 0 to S = `last`, both included; none for fewer than two."""
    return {number * last // (count - 1) for number in range(count)} if count > 1 else set()


def regular(name: str, interval: int, start: int, end: int) -> range:
    """Every `interval` steps from `start` on, before `end`. Raises ValueError, naming it, for absurdly many."""
    if (end - start) // interval > MOST:
        raise ValueError(f"{name}: must leave at most {MOST} checkpoints in {end - start} steps, got {interval}")
    return range(start, end, interval)


def growing_gaps(base: float, start: int, end: int) -> set[int]:
    """Steps from `start` on, before `end`, whose distances are base, base², base³, …, rounded down in sum."""
    steps, offset, gap = set[int](), 0.0, base
    while start + offset < end:
        steps.add(start + int(offset))
        offset, gap = offset + gap, gap * base
    return steps


def growing_offsets(base: float, start: int, end: int) -> set[int]:
    """start + base, start + base², …, rounded down, before `end`."""
    steps, offset = set[int](), base
    while start + offset < end:
        steps.add(start + int(offset))
        offset *= base
    return steps


def thin(steps: Iterable[int], kept: Set[int], interval: int) -> tuple[int, ...]:
    """Drop steps closer than `interval` to one before them, or to a kept one after them.

    Args:
        steps: In any order.
        kept: Those of them that stay, however close.
        interval: Least distance in steps.
    """
    fixed, left = sorted(kept), list[int]()
    for step in sorted({*steps, *kept}):
        place = bisect_left(fixed, step)
        near_before = bool(left) and step - left[-1] < interval
        near_kept = place < len(fixed) and fixed[place] - step < interval
        if step in kept or not (near_before or near_kept):
            left.append(step)
    return tuple(left)


def at_least(name: str, value: int, least: int) -> None:
    """Raises ValueError for a value below the least."""
    if value < least:
        raise ValueError(f"{name}: must be >= {least}, got {value}")


def check_rising(name: str, steps: Sequence[int]) -> None:
    """Raises ValueError that names the first step out of order, and its place."""
    before = -1
    for place, step in enumerate(steps):
        at_least(f"{name}[{place}]", step, 0)
        if step <= before:
            raise ValueError(f"{name}[{place}]: must be above {before}, the step before it, got {step}")
        before = step
