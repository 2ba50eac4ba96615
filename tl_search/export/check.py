"""An export is loaded again, and must give the probe's vectors before anybody sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tl_search.export.sentence_model import encode
from tl_search.store.atomic import write_json

VECTOR = "check_vector.json"
TOLERANCE = 1e-5  # of the longest vector: far above the rounding of float32, and far below a forgotten norm

# Of several lengths, so that padding, truncation and what begins a text all show.
_LONG = "A checkpoint and a layer make an embedding model, and this text is longer than most of the others. "
TEXTS = (
    "hello",
    "The best layer is rarely the last one.",
    "def mean(values):\n    return sum(values) / len(values)",
    "Übergrößenträger & <naïve> 數學 🙂",
    _LONG,
)


def examples(longest: int) -> list[str]:
    """Those that are compared; the last has more tokens than are kept."""
    return [*TEXTS, _LONG * (1 + 4 * longest // len(_LONG))]


def check(folder: Path, expected: np.ndarray, compared: list[str], window: bool) -> float:
    """How far the folder's vectors are from the expected ones, relative to the longest of them.

    Writes the first text and its vector beside the model, so that a version of sentence-transformers which reads the
    folder otherwise can be noticed.

    Args:
        expected: Vectors (text, width) of the probe, in float32.
        window: As for `encode`.

    Raises:
        ValueError: further than rounding explains.
    """
    found = encode(folder, compared, window)
    scale = float(np.linalg.norm(expected, axis=1).max()) or 1.0
    apart = float(np.abs(found - expected).max()) / scale if found.shape == expected.shape else float("inf")
    if not apart <= TOLERANCE:
        raise ValueError(
            f"arm: what sentence-transformers makes of it differs from the searched vectors by {apart:.2g} of their "
            "length, so it is not written"
        )
    write_json(folder / VECTOR, {"text": compared[0], "vector": [round(float(value), 8) for value in expected[0]]})
    return apart
