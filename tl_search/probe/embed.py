"""One column of the plane: every text's vector at every layer of a revision, written once into a store.

A column is computed in the extraction's dtype, or, where that gives NaN or infinity, in float32. So its vectors are
still a function of what its key holds: weights, tokenizer, extraction and texts. That a column was computed in float32
is logged, and stands in the store's notes beside it.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import digest, text_digest

if TYPE_CHECKING:
    from tl_search.probe.observe import Observer
    from tl_search.probe.tokens import Tokens

log = logging.getLogger(__name__)


class NonFiniteError(ValueError):
    """Some vectors hold NaN or infinity; the message names the revision, the layer and how many."""


def layer_name(layer: int) -> str:
    """The name of a layer's array in a column."""
    return f"layer_{layer:03d}"


def column_key(
    revision: Revision, extraction: Extraction, texts: Sequence[str], layers: Sequence[int] | None = None
) -> str:
    """Where a column is kept: everything that its vectors depend on, which texts they belong to, and which layers.

    Raises:
        ValueError: the revision's digests are unknown, or the extraction's dtype is not settled.
    """
    if not revision.weights or not revision.tokenizer:
        raise ValueError(f"revision: {revision.name} must have digests of its weights and its tokenizer")
    identity: dict[str, Any] = {
        "weights": revision.weights,
        "tokenizer": revision.tokenizer,
        "extraction": extraction.identity(),
        "texts": digest([text_digest(text) for text in texts], 32),
    }
    if layers is not None:
        identity["layers"] = sorted(set(layers))
    return digest(identity, 32)


def embed_column(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    probe: ProbeConfig,
    store: ArrayStore,
    layers: Sequence[int] | None = None,
) -> str:
    """The key under which the store has arrays `layer_000`, `layer_001`, … of shape (text, width) in fp32.

    Nothing is loaded when the store has them already. One process embeds one column at a time. The store's notes tell
    the dtype of the pass and how many texts were longer than what was kept of them.

    Args:
        revision: Whose weights and tokenizer lie in `folder`.
        folder: A loadable model.
        texts: Distinct or not; their order is that of the rows.
        extraction: With a settled dtype.
        probe: Where to compute.
        store: Where the vectors go, and the texts' tokens, in its folder `tokens`.
        layers: The wanted ones of 0..L, in any order; None = all. Blocks above the highest do not run.

    Raises:
        ValueError: a text has no token (named by its index), a layer is none of 0..L, or the folder holds no model that
            the probe knows.
        NonFiniteError: the model gives NaN or infinity, in float32 too.
    """
    if not texts:
        raise ValueError("texts: must be at least one, got none")
    whole = column_key(revision, extraction, texts)
    if store.get(whole) is not None:
        return whole
    key = whole if layers is None else column_key(revision, extraction, texts, layers)
    if layers is None or store.get(key) is None:
        column = _column(revision, folder, texts, extraction, probe, layers, tokens=ArrayStore(store.folder / "tokens"))
        arrays = {layer_name(layer): vectors for layer, vectors in zip(column.layers, column.vectors, strict=True)}
        store.put(key, arrays, {"dtype": column.dtype.value, "texts_cut": str(column.cut)})
    return key


def column_vectors(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    probe: ProbeConfig,
    observers: "Sequence[Observer]" = (),
) -> np.ndarray:
    """The column itself, of shape (layer, text, width) in fp32, computed now; `observers` see its token states.

    Observers cannot unsee a pass, so with them there is no second one in float32.

    Raises:
        ValueError, NonFiniteError: as `embed_column`.
    """
    return _column(revision, folder, texts, extraction, probe, observers=observers).vectors


class _Column(NamedTuple):
    """What a pass brought: vectors (layer, text, width), which layers, in which dtype, how many texts were cut."""

    vectors: np.ndarray
    layers: Sequence[int]
    dtype: Dtype
    cut: int


def _column(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    config: ProbeConfig,
    layers: Sequence[int] | None = None,
    observers: "Sequence[Observer]" = (),
    tokens: ArrayStore | None = None,
) -> _Column:
    column = _pass(revision, folder, texts, extraction, config, layers, observers, tokens)
    reason = _not_finite(revision, column)
    if reason and extraction.dtype is not Dtype.float32 and not observers:
        log.warning("%s; computing the column again in float32", reason)
        del column  # first, or two columns would be in memory at once
        extraction = replace(extraction, dtype=Dtype.float32)
        column = _pass(revision, folder, texts, extraction, config, layers, observers, tokens)
        reason = _not_finite(revision, column)
    if reason:
        raise NonFiniteError(reason)
    _say_flat(revision, column, texts)
    if extraction.normalise:  # layer by layer: the squares of a whole column are as large as the column
        for vectors in column.vectors:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    return column


def _pass(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    config: ProbeConfig,
    layers: Sequence[int] | None,
    observers: "Sequence[Observer]",
    store: ArrayStore | None,
) -> _Column:
    from tl_search.probe import batching
    from tl_search.probe.kept import kept_probe
    from tl_search.probe.loading import position_limit
    from tl_search.probe.module import pad_id
    from tl_search.probe.predict import predict
    from tl_search.probe.tokens import tokens_of

    probe = kept_probe(revision, folder, extraction)
    chosen = probe.every_layer if layers is None else sorted(set(layers))
    for layer in chosen:
        if layer not in probe.every_layer:
            raise ValueError(f"layers: must lie in 0..{probe.every_layer[-1]} at {revision.name}, got {layer}")
    if not chosen:
        raise ValueError("layers: must be at least one, got none")
    probe.layers, probe.observers = chosen, observers
    tokens = tokens_of(revision, folder, texts, extraction, position_limit(probe.model), store)
    size, largest = probe.model.get_input_embeddings().num_embeddings, int(tokens.ids.max())
    if largest >= size:
        raise ValueError(f"{folder}: its tokenizer gives token {largest}, but the model has only {size}")
    _say_lengths(revision, tokens, probe.model)
    rows, pad = tokens.rows, pad_id(probe.model)

    def batches(on_cpu: bool) -> list[batching.Batch]:
        budget = config.tokens_per_batch or default_budget(on_cpu)
        return batching.packed(rows, budget) if probe.packs else batching.padded(rows, budget, pad)

    return _Column(predict(probe, batches, len(rows), config), chosen, extraction.dtype, tokens.cut)


def default_budget(on_cpu: bool) -> int:
    """Tokens in a pass: enough to fill the matrix units, little enough to stay in a CPU's cache."""
    return 2048 if on_cpu else 16384


def _not_finite(revision: Revision, column: _Column) -> str:
    """One line on the lowest layer that holds NaN or infinity; empty when all is well."""
    for layer, vectors in zip(column.layers, column.vectors, strict=True):
        broken = 1 - np.isfinite(vectors).all(1).mean()
        if broken:
            dtype = column.dtype.value
            return f"{revision.name}: layer {layer}: {broken:.1%} of the vectors hold NaN or infinity (dtype {dtype})"
    return ""


def _say_flat(revision: Revision, column: _Column, texts: Sequence[str]) -> None:
    """Warn of layers that tell nothing; what can be scored from the others is."""
    if len(set(texts)) < 2:
        return
    for layer, vectors in zip(column.layers, column.vectors, strict=True):
        zero = 1 - vectors.any(1).mean()
        if zero:
            log.warning("%s: layer %d: %.1f%% of the vectors are all zero", revision.name, layer, 100 * zero)
        elif np.abs(vectors - vectors[0]).max() <= 1e-6 * np.abs(vectors[0]).max():  # their pooling's rounding differs
            log.warning("%s: layer %d: 100.0%% of the vectors are the same", revision.name, layer)


def _say_lengths(revision: Revision, tokens: "Tokens", model: Any) -> None:
    context = getattr(model.config, "max_position_embeddings", None)
    longest = int(tokens.lengths.max())
    if context is not None and longest > context:
        log.info("%s: the longest text has %d tokens, but the model's context %d", revision.name, longest, context)
    if tokens.cut:
        log.info(
            "%s: %d of %d texts are longer than %d tokens; only their start is embedded",
            *(revision.name, tokens.cut, len(tokens.lengths), longest),
        )
