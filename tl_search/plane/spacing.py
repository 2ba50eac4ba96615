"""The arithmetic of schedules, as plain functions: sets of steps, and a check of lists."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set

from tl_search.errors.limits import MOST_STEPS, between

MOST = 1_000_000  # checkpoints of one schedule; more is a mistake, and would fill the memory


def evenly(count: int, last: int) -> set[int]:
    """`count` steps from 0 to `last`, both included: `floor(i·last/(count−1))`. None if `count` is below two."""
    return {number * last // (count - 1) for number in range(count)} if count > 1 else set()


def regular(name: str, interval: int, start: int, end: int) -> range:
    """Every `interval` steps from `start` on, before `end`. Raises ValueError, which begins with `name`, above MOST."""
    if (end - start) // interval > MOST:
        raise ValueError(f"{name}: must leave at most {MOST} checkpoints in {end - start} steps, got {interval}")
    return range(start, end, interval)


def growing_gaps(base: float, start: int, end: int) -> set[int]:
    """Steps from `start` on, before `end`, with gaps of base, base², base³, …; their sums are rounded down."""
    steps, offset, gap = set[int](), 0.0, base
    while start + offset < end:
        steps.add(start + int(offset))
        offset, gap = offset + gap, gap * base
    return steps


def growing_offsets(base: float, start: int, end: int) -> set[int]:
    """The steps start + base, start + base², …, rounded down, before `end`."""
    steps, offset = set[int](), base
    while start + offset < end:
        steps.add(start + int(offset))
        offset *= base
    return steps


def thin(steps: Iterable[int], kept: Set[int], interval: int) -> tuple[int, ...]:
    """The steps, rising, without those closer than `interval` to the step before them, or to a kept one after them."""
    fixed, left = sorted(kept), list[int]()
    for step in sorted({*steps, *kept}):
        place = bisect_left(fixed, step)
        near_before = bool(left) and step - left[-1] < interval
        near_kept = place < len(fixed) and fixed[place] - step < interval
        if step in kept or not (near_before or near_kept):
            left.append(step)
    return tuple(left)


def check_rising(name: str, steps: Sequence[int]) -> None:
    """Raises ValueError, which begins with `name`, at the first step that is negative or not above the one before."""
    before = -1
    for place, step in enumerate(steps):
        between(0, MOST_STEPS, **{f"{name}[{place}]": step})
        if step <= before:
            raise ValueError(f"{name}[{place}]: must be above {before}, the step before it, got {step}")
        before = step
