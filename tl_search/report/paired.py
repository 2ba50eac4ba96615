"""Paired differences between two arms that were trained with the same seeds: mean, intervals, and what they show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """How much larger a value is in one arm than in another, over seeds that both have.

    With few seeds a bootstrap interval is too narrow: resampling three numbers of one sign can only give that sign. So
    a difference counts as shown only if Student's interval, which takes the number of seeds into account, is on the
    same side of 0 too.

    Args:
        mean: Of the differences, in the unit of the value.
        bootstrap: Interval of the mean by resampling the seeds with replacement; None for a single seed.
        student: Interval of the mean by Student's t; None for a single seed.
        seeds: How many pairs there are.
        level: Level of both intervals.
    """

    mean: float
    bootstrap: tuple[float, float] | None
    student: tuple[float, float] | None
    seeds: int
    level: float

    @property
    def shown(self) -> bool:
        """Whether the data show a difference."""
        intervals = (self.bootstrap, self.student)
        return all(interval is not None and (interval[0] > 0 or interval[1] < 0) for interval in intervals)


def difference(arm: Sequence[float], other: Sequence[float], level: float = 0.95, seed: int = 0) -> Difference:
    """`arm` minus `other`, whose values are of the same seeds in the same order.

    Args:
        level: Of the intervals. For several comparisons at once it must be higher, which is for the caller to say.
        seed: Random seed of the resamples.

    Raises:
        ValueError: the two have different numbers of values, or none.
    """
    if len(arm) != len(other) or not arm:
        raise ValueError(f"pairs must have one value of each arm, got {len(arm)} and {len(other)}")
    gaps = np.asarray(arm, dtype=float) - np.asarray(other, dtype=float)
    mean, count = float(gaps.mean()), len(gaps)
    if count == 1:
        return Difference(mean, None, None, 1, level)
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    low, high = np.quantile(gaps[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    from scipy.stats import t

    half = float(t.ppf((1 + level) / 2, count - 1)) * float(gaps.std(ddof=1)) / math.sqrt(count)
    return Difference(mean, (float(low), float(high)), (mean - half, mean + half), count, level)
