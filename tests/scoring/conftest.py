"""An arm, vectors for any texts, and the experiment that measures what intervals cover."""

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.store.keys import text_digest


@pytest.fixture
def arms() -> Callable[..., Arm]:
    def arm(layer: int = 3, revision: str = "step10", model: str = "demo/tiny") -> Arm:
        step = int(revision.removeprefix("step"))
        return Arm(
            model, Revision(revision, step, weights=f"w{step}", tokenizer="t"), layer, Extraction(dtype=Dtype.float32)
        )

    return arm


@pytest.fixture
def arm(arms) -> Arm:
    return arms()


@pytest.fixture
def embed() -> Callable[..., dict[str, np.ndarray]]:
    """Vectors that know a text's words: random directions, added up; another seed is another model."""

    def vectors(texts: Iterable[str], seed: int = 0, width: int = 24) -> dict[str, np.ndarray]:
        directions: dict[str, np.ndarray] = {}

        def direction(word: str) -> np.ndarray:
            if word not in directions:
                number = int(text_digest(f"{seed}/{word}")[:12], 16)
                directions[word] = np.random.default_rng(number).standard_normal(width).astype(np.float32)
            return directions[word]

        return {text_digest(text): np.sum([direction(word) for word in text.split()], axis=0) for text in texts}

    return vectors


@pytest.fixture(scope="module")
def coverage() -> Iterator[ModuleType]:
    """`experiments/coverage/measure.py`; what lies beside it can be imported, too."""
    folder, before = Path(__file__).resolve().parents[2] / "experiments" / "coverage", list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("coverage_measure", folder / "measure.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["coverage_measure"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path[:] = before
