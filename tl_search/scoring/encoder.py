"""Encoders for mteb that look vectors up instead of computing them.

mteb gives an encoder batches of texts and expects their vectors; here they are looked up by the text's digest. So one
forward pass serves every layer, and mteb's evaluation is used unchanged. This module imports mteb, which is slow, so
import it inside functions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction
from torch.utils.data import SequentialSampler

from tl_search.plane.arm import Arm
from tl_search.scoring.text_vectors import gathered
from tl_search.store.keys import text_digest


class VectorEncoder(AbsEncoder):
    """An arm as an encoder for mteb; `vectors` has the vector (width,) of every text, by the text's digest."""

    def __init__(self, arm: Arm, vectors: Mapping[str, np.ndarray]) -> None:
        self.arm, self.vectors = arm, vectors
        readout = {} if arm.readout.is_raw else {"readout": arm.readout.identity()}
        experiment = {"layer": arm.layer, **arm.extraction.identity(), **readout}
        self.mteb_model_meta = _meta(arm.model, arm.revision.name, experiment)

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        """The vectors as an fp32 array (text, width), in the order of the texts.

        Raises:
            ValueError: a text has no vector, a vector is not finite, or the vectors of different texts are all equal.
        """
        texts = list(_texts(inputs))
        return self.looked_up([text_digest(text) for text in texts], texts)

    def looked_up(self, keys: Sequence[str], texts: Sequence[str] = ()) -> np.ndarray:
        """As `encode`, by the digests of the texts.

        Args:
            texts: For messages, which without them name none.
        """
        missing = [row for row, key in enumerate(keys) if key not in self.vectors]
        if missing:
            first = f", first {_short(texts[missing[0]])}" if texts else ""
            raise ValueError(f"vectors: {len(missing)} of {len(keys)} texts have none at {self.arm.label}{first}")
        found = gathered(self.vectors, keys)
        broken = np.flatnonzero(~np.isfinite(found).all(axis=-1))
        if len(broken):
            first = f", first that of {_short(texts[broken[0]])}" if texts else ""
            raise ValueError(f"vectors: {len(broken)} of {len(keys)} of {self.arm.label} hold NaN or infinity{first}")
        if len(set(keys)) > 1 and (found == found[0]).all():
            raise ValueError(f"vectors: all {len(keys)} of {self.arm.label} are equal, so they tell no texts apart")
        return found


class TextRecorder(AbsEncoder):
    """Records which texts an evaluation asks for, in the order in which each is first asked for.

    It answers with noise that differs from text to text, so that the evaluation runs to its end.
    """

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self.mteb_model_meta = _meta("tl_search/text-recorder", "none", {})

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        """Noise as an fp32 array (text, 16); the same text always gets the same vector."""
        texts = list(_texts(inputs))
        self.texts.update(dict.fromkeys(texts))
        noise = [np.frombuffer(bytes.fromhex(text_digest(text)), dtype=np.uint8) for text in texts]
        return np.asarray(noise, dtype=np.float32).reshape(len(texts), 16) / 127.5 - 1


def _texts(batches: Any) -> Iterable[str]:
    """The texts of a data loader, in its order; where it only goes through a table, the column is read at once.

    A loader asks a table for one row after the other, which takes longer than most scores.
    """
    table = getattr(batches, "dataset", None)
    if isinstance(table, Dataset) and isinstance(batches.sampler, SequentialSampler) and "text" in table.column_names:
        texts = table["text"][:]
        if all(isinstance(text, str) for text in texts):
            return texts
    return _one_by_one(batches)


def _one_by_one(batches: Any) -> Iterator[str]:
    for batch in batches:
        if "text" not in batch:
            raise ValueError(f"task: must have texts as its input, got {', '.join(sorted(batch))}")
        yield from batch["text"]


def _meta(name: str, revision: str, experiment: dict[str, Any]) -> ModelMeta:
    return ModelMeta.create_empty(
        overwrites={
            "name": name,
            "revision": revision,
            "experiment_kwargs": experiment or None,
            "similarity_fn_name": ScoringFunction.COSINE,  # mteb accepts the name as a string too, but fails later
            "framework": ["PyTorch"],
        }
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
