"""Vectors by the digest of their text, in the arrays that hold them: a large corpus costs no more than its matrix."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np


class TextVectors(Mapping[str, np.ndarray]):
    """Text digest → vector (width,), as scoring takes it. Nothing is copied before it is asked for.

    Args:
        places: Text digest → its row, where the rows of all arrays are counted one array after the other. It is shared
            by all arms that are scored on the same texts.
        arrays: Each (text, width), of one width.
    """

    def __init__(self, places: Mapping[str, int], arrays: Sequence[np.ndarray]) -> None:
        self.places, self.arrays = places, arrays
        self._starts = np.cumsum([0, *map(len, arrays)])

    def __getitem__(self, digest: str) -> np.ndarray:
        return self.rows([digest])[0]

    def __contains__(self, digest: object) -> bool:
        return digest in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, digests: Sequence[str]) -> np.ndarray:
        """The vectors (text, width) of these texts, in this order. Raises KeyError for a text without one."""
        wanted = np.fromiter(map(self.places.__getitem__, digests), np.int64, len(digests))
        if len(self.arrays) == 1:
            return self.arrays[0][wanted]
        found = np.empty((len(wanted), *self.arrays[0].shape[1:]), self.arrays[0].dtype)
        for array, start, end in zip(self.arrays, self._starts[:-1], self._starts[1:], strict=True):
            here = (start <= wanted) & (wanted < end)
            found[here] = array[wanted[here] - start]
        return found


def gathered(vectors: Mapping[str, np.ndarray], digests: Sequence[str]) -> np.ndarray:
    """The vectors (text, width) of these texts in fp32, of any mapping. Raises KeyError for a text without one."""
    rows = vectors.rows(digests) if isinstance(vectors, TextVectors) else [vectors[digest] for digest in digests]
    return np.asarray(rows, dtype=np.float32)
