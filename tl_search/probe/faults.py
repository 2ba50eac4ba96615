"""What can be wrong with a layer's vectors: some hold NaN or infinity, are zero, or many are the same.

Vectors are read in parts, since a layer may be a file that is larger than memory.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tl_search.probe.tokens import Row

_AT_ONCE = 4096  # vectors
_ROUNDING = 1e-6  # relative to the largest number: smaller differences come from the order in which tokens are summed


class Fault(NamedTuple):
    """What is wrong with a layer.

    Args:
        layer: Its number.
        what: In words with counts, such as `1 of 5,000 vectors hold NaN or infinity`.
        fatal: Whether vectors hold NaN or infinity; otherwise they are finite, but say little about the texts.
        by_rounding: Whether a dtype with more bits may give better vectors.
    """

    layer: int
    what: str
    fatal: bool
    by_rounding: bool


def faults(layers: Sequence[int], column: Sequence[np.ndarray], rows: Sequence[Row]) -> list[Fault]:
    """The faults of a column, from the lowest layer up; only the first fatal fault where there is one.

    Args:
        layers: The layers' numbers, rising.
        column: The vectors (text, width) of each layer.
        rows: The token ids of each text: equal texts must have equal vectors, and those without tokens zero vectors,
            which is no fault.
    """
    found: list[Fault] = []
    alike: int | None = None
    empty = sum(not len(row) for row in rows)
    for layer, vectors in zip(layers, column, strict=True):
        broken, zero = _broken_and_zero(vectors)
        if broken:
            return [Fault(layer, f"{_of(broken, vectors)} hold NaN or infinity", True, True)]
        if zero > empty:
            found.append(Fault(layer, f"{_of(zero - empty, vectors)} are all zero", False, True))
        elif same := _same(vectors):
            alike = _alike(rows) if alike is None else alike
            if same > alike:  # in layer 0 not by rounding: the last tokens of texts are often the same
                found.append(Fault(layer, f"{_of(same, vectors)} are the same", False, layer > 0))
    return found


def normalise(vectors: np.ndarray) -> None:
    """Scale every vector (text, width) to length 1, in place; a zero vector stays."""
    for part in _parts(vectors):
        part /= np.maximum(np.linalg.norm(part, axis=-1, keepdims=True), np.finfo(np.float32).tiny)


def _of(count: int, vectors: np.ndarray) -> str:
    return f"{count:,} of {len(vectors):,} vectors"


def _parts(vectors: np.ndarray) -> Iterator[np.ndarray]:
    plain = np.asarray(vectors)
    return (plain[start : start + _AT_ONCE] for start in range(0, len(plain), _AT_ONCE))


def _broken_and_zero(vectors: np.ndarray) -> tuple[int, int]:
    """How many vectors hold NaN or infinity, and how many are all zero."""
    counts = np.zeros(2, np.int64)
    for part in _parts(vectors):
        counts += (~np.isfinite(part).all(1)).sum(), (~part.any(1)).sum()
    broken, zero = counts.tolist()
    return broken, zero


def _same(vectors: np.ndarray) -> int:
    """How many vectors equal the most common one, if at least half do, else 0. Then it is also the median vector."""
    first = vectors[:, 0].copy()
    middle = vectors[np.argpartition(first, len(first) // 2)[len(first) // 2]].copy()
    allowed = _ROUNDING * float(np.abs(middle).max())
    if 2 * np.count_nonzero(np.abs(first - middle[0]) <= allowed) < len(first):
        return 0
    equal = sum(int((np.abs(part - middle) <= allowed).all(1).sum()) for part in _parts(vectors))
    return equal if 2 * equal >= len(vectors) else 0


def _alike(rows: Sequence[Row]) -> int:
    """How many texts have the most common tokens."""
    return Counter(row.tobytes() for row in rows).most_common(1)[0][1]
