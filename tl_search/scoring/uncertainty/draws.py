"""Random numbers that belong to an item by its content, so that every task and every arm draws an item alike.

A score depends on which items a task happens to have. Each replicate of it gives every item a random weight and
measures the score of the weighted items (the Bayesian bootstrap; Rubin, 1981). The weights of an item follow from a
digest of the item, a seed and the replicate's number. So replicates of two arms can be subtracted, and those of two
tasks over the same texts can be added: what the items do to both is in both.

The numbers come from SplitMix64 (Steele, Lea and Flood, 2014), which has no state but a counter. They are the same
whatever the version of numpy and however many are made at once.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import gammaincinv, ndtri

BLOCK = 2_000_000  # weights that are in memory at once


def weights(names: Sequence[str], seed: int, resamples: int, halves: bool = False) -> Iterator[np.ndarray]:
    """Blocks of weights (resample, item), with `resamples` rows in all: exponential, with mean 1.

    Args:
        names: What each item is; equal names get equal weights.
        halves: Whether each weight is 2 or 0 instead, either as likely as the other: these have the same mean and
            variance, and no item weighs more than the others that are there (half-samples; McCarthy, 1969).
    """
    keys = _keys("item", names, seed)
    block = max(1, BLOCK // len(names))
    for first in range(0, resamples, block):
        drawn = _uniform(keys, range(first, min(first + block, resamples)))
        yield 2.0 * (drawn < 0.5) if halves else -np.log(drawn)


def normal(names: Sequence[str], seed: int, resamples: int) -> np.ndarray:
    """Standard normal numbers (resample, name)."""
    return ndtri(_uniform(_keys("run", names, seed), range(resamples)))


def student(names: Sequence[str], freedom: int, seed: int, resamples: int) -> np.ndarray:
    """Factors (resample,) that turn a normal distribution into Student's with so many degrees of freedom.

    Where a spread is estimated from few values it is often too small, and intervals that take it for certain are too
    narrow.
    """
    (key,) = _keys(
        "spread", [hashlib.sha256("\0".join(sorted(set(names))).encode("utf-8", "surrogatepass")).hexdigest()], seed
    )
    chi_square = 2 * gammaincinv(freedom / 2, _uniform(np.array([key]), range(resamples))[:, 0])
    return np.sqrt(freedom / chi_square)


def _keys(purpose: str, names: Sequence[str], seed: int) -> np.ndarray:
    first = f"{purpose}\0{seed}\0".encode()
    hashes = (hashlib.sha256(first + name.encode("utf-8", "surrogatepass")).digest()[:8] for name in names)
    return np.frombuffer(b"".join(hashes), dtype="<u8")


def _uniform(keys: np.ndarray, rows: range) -> np.ndarray:
    """Numbers (row, key) between 0 and 1, both excluded."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        steps = (np.arange(rows.start, rows.stop, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = keys[None, :] + steps[:, None]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(12)) + 0.5) / 2.0**52
