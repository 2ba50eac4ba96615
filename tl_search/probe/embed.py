"""One column of the plane: every text's vector at every layer of a revision, written once into a store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import digest, text_digest


class NonFiniteError(ValueError):
    """Some vectors hold NaN or infinity; the message names the revision, the layer and how many."""


def layer_name(layer: int) -> str:
    """The name of a layer's array in a column."""
    return f"layer_{layer:03d}"


def column_key(revision: Revision, extraction: Extraction, texts: Sequence[str]) -> str:
    """Where a column is kept: everything that its vectors depend on, and which texts they belong to.

    Raises:
        ValueError: the revision's digests are unknown, or the extraction's dtype is not settled.
    """
    if not revision.weights or not revision.tokenizer:
        raise ValueError(f"revision: {revision.name} must have digests of its weights and its tokenizer")
    identity = {
        "weights": revision.weights,
        "tokenizer": revision.tokenizer,
        "extraction": extraction.identity(),
        "texts": digest([text_digest(text) for text in texts], 32),
    }
    return digest(identity, 32)


def embed_column(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    probe: ProbeConfig,
    store: ArrayStore,
) -> str:
    """The key under which the store has arrays `layer_000`, `layer_001`, … of shape (text, width) in fp32.

    Nothing is loaded when the store has them already. One process embeds one column at a time.

    Args:
        revision: Whose weights and tokenizer lie in `folder`.
        folder: A loadable model.
        texts: Distinct or not; their order is that of the rows.
        extraction: With a settled dtype.
        probe: Where to compute.
        store: Where the vectors go.

    Raises:
        ValueError: a text has no token (named by its index), or the folder holds no model that the probe knows.
        NonFiniteError: the model gives NaN or infinity.
    """
    if not texts:
        raise ValueError("texts: must be at least one, got none")
    key = column_key(revision, extraction, texts)
    if store.get(key) is not None:
        return key
    layers = _compute(revision, folder, texts, extraction, probe)
    for layer, vectors in enumerate(layers):
        broken = 1 - np.isfinite(vectors).all(1).mean()
        if broken:
            raise NonFiniteError(
                f"{revision.name}: layer {layer}: {broken:.1%} of the vectors hold NaN or infinity"
                f" (dtype {extraction.dtype.value})"
            )
        if extraction.normalise:  # layer by layer: the squares of a whole column are as large as the column
            vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    store.put(key, {layer_name(layer): vectors for layer, vectors in enumerate(layers)})
    return key


@dataclass
class _Kept:
    """What the next texts, and the next column of the same run, can use again."""

    architecture: str = ""
    weights: str = ""
    probe: Any = None
    rows: dict[str, list[np.ndarray]] = field(default_factory=dict)  # by what they depend on, oldest first


_kept = _Kept()

# Lists of texts whose tokens are kept: more than the tasks of most suites.
_KEPT_LISTS = 32


def _compute(
    revision: Revision, folder: Path, texts: Sequence[str], extraction: Extraction, config: ProbeConfig
) -> np.ndarray:
    """Vectors of shape (layer, text, width)."""
    from tl_search.probe import batching
    from tl_search.probe.loading import position_limit
    from tl_search.probe.module import pad_id
    from tl_search.probe.predict import predict

    probe = _probe(revision, folder, extraction)
    rows = _rows(revision, folder, texts, extraction, position_limit(probe.model))
    size = probe.model.get_input_embeddings().num_embeddings
    largest = max(int(row.max()) for row in rows)
    if largest >= size:
        raise ValueError(f"{folder}: its tokenizer gives token {largest}, but the model has only {size}")
    budget = config.tokens_per_batch
    if probe.packs:
        return predict(probe, lambda on_cpu: batching.packed(rows, budget or _budget(on_cpu)), len(rows), config)
    pad = pad_id(probe.model)
    return predict(probe, lambda on_cpu: batching.padded(rows, budget or _budget(on_cpu), pad), len(rows), config)


def _budget(on_cpu: bool) -> int:
    """Enough to fill the matrix units, little enough to stay in a CPU's cache."""
    return 2048 if on_cpu else 16384


def _probe(revision: Revision, folder: Path, extraction: Extraction) -> Any:
    """The kept probe with this folder's weights where they fit into it, else a new one."""
    import torch

    from tl_search.probe.loading import architecture, load_model, swap_weights
    from tl_search.probe.module import Probe

    dtype = getattr(torch, extraction.dtype.value)
    wanted = architecture(folder, dtype) + digest(extraction.identity())
    weights = digest([revision.weights, str(folder.resolve())])
    if _kept.probe is not None and _kept.architecture == wanted:
        if _kept.weights == weights:
            return _kept.probe
        _kept.weights = ""  # until all are copied, the model is neither the one nor the other
        if swap_weights(_kept.probe.model, folder):
            _kept.weights = weights
            return _kept.probe
    _kept.architecture, _kept.weights, _kept.probe = "", "", None  # first, or two models would be in memory at once
    probe = Probe(load_model(folder, dtype), extraction)
    _kept.architecture, _kept.weights, _kept.probe = wanted, weights, probe
    return probe


def _rows(
    revision: Revision, folder: Path, texts: Sequence[str], extraction: Extraction, limit: int | None
) -> list[np.ndarray]:
    """The texts' token ids; the columns of one run mostly share tokenizer and texts."""
    from tl_search.probe.batching import tokenise
    from tl_search.probe.loading import load_tokenizer

    wanted = digest([revision.tokenizer, extraction.identity(), limit, [text_digest(text) for text in texts]])
    if wanted not in _kept.rows:
        rows = tokenise(load_tokenizer(folder), texts, extraction, limit)
        while len(_kept.rows) >= _KEPT_LISTS:
            del _kept.rows[next(iter(_kept.rows))]
        _kept.rows[wanted] = rows
    return _kept.rows[wanted]
