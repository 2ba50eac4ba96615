"""What vectors reach that know nothing of a text: by chance, and from its length alone.

A score says little without it: 50 points are chance on one task and good on another.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.store.keys import text_digest

MODEL = "tl_search/chance"
WIDTH = 64


def random_vector(text: str) -> np.ndarray:
    """A normal vector (width,) that follows from the text's digest, so that equal texts are equal and no others."""
    return np.random.default_rng(int(text_digest(text), 16)).standard_normal(WIDTH)


def length_vector(text: str) -> np.ndarray:
    """The numbers of characters and of lines (3,), and a constant, without which a cosine would not see how large."""
    return np.array([1.0, len(text) / 256, text.count("\n") / 8])


RULES: Mapping[str, Callable[[str], np.ndarray]] = {"random": random_vector, "lengths": length_vector}


def rule_arm(rule: str) -> Arm:
    """The arm under whose name the ledger keeps what a rule reaches; another version of a rule needs another name."""
    revision = Revision(rule, 0, weights=f"{rule}-1", tokenizer="none")
    return Arm(MODEL, revision, 0, Extraction(dtype=Dtype.float32))


def rule_vectors(rule: Callable[[str], np.ndarray], texts: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Text digest → vector (width,) in fp32."""
    return {text_digest(text): rule(text).astype(np.float32) for text in texts}
