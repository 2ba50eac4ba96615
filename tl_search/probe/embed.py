"""One column of the plane: every text's vector at every layer of a revision, written once into a store.

A column is computed in the extraction's dtype, or, where that gives NaN, infinity, zeros or vectors that are the same,
in float32. So its vectors are still a function of what its key holds: weights, tokenizer, extraction and texts. That a
column was computed in float32 is logged, and stands in the store's notes beside it.

Vectors are written where they will lie, layer by layer in one file, so a column need not fit into memory.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.store.arrays import ArrayStore
from tl_search.store.atomic import sweep_litter
from tl_search.store.keys import digest, text_digest

if TYPE_CHECKING:
    from tl_search.probe.faults import Fault
    from tl_search.probe.observe import Observer
    from tl_search.probe.tokens import Tokens

log = logging.getLogger(__name__)

_DEAD = 3600.0  # seconds without a word after which a half-written column is nobody's

# Layers, width and notes → a place for the vectors (text, width) of each layer, which counts once the block has ended.
Room = Callable[[Sequence[int], int, Mapping[str, str]], AbstractContextManager[Sequence[np.ndarray]]]


class NonFiniteError(ValueError):
    """Some vectors hold NaN or infinity; the message names the revision, the layer and how many."""


class ImpreciseError(ValueError):
    """A column's vectors are at fault, and float32 may do better; the message says how."""


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
        layers: The wanted ones of 0..L, in any order; None = all. Blocks above the highest do not run. Some layers are
            kept apart from all of them, which may have become float32 for the sake of a layer that is not wanted.

    Raises:
        ValueError: a text has no token (named by its index), a layer is none of 0..L, or the folder holds no model that
            the probe knows.
        NonFiniteError: the model gives NaN or infinity, in float32 too.
    """
    if not texts:
        raise ValueError("texts: must be at least one, got none")
    key = column_key(revision, extraction, texts, layers)
    if store.whole(key):
        return key
    sweep_litter(store.folder, idle=_DEAD)

    @contextmanager
    def room(layers: Sequence[int], width: int, notes: Mapping[str, str]) -> Iterator[Sequence[np.ndarray]]:
        layout = {layer_name(layer): ((len(texts), width), np.dtype(np.float32)) for layer in layers}
        with store.create(key, layout, notes) as arrays:
            yield [arrays[layer_name(layer)] for layer in layers]

    tokens = ArrayStore(store.folder / "tokens")
    _fill(room, _Asked(revision, folder, texts, extraction, probe, layers, tokens=tokens))
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

    Observers cannot unsee a pass, so with them it is the caller who begins anew in float32. They sit in this process,
    so one device computes, whatever `probe.devices` says.

    Raises:
        ValueError, NonFiniteError: as `embed_column`.
        ImpreciseError: observers have seen a pass that gives NaN, infinity, zeros or vectors that are the same, in a
            dtype shorter than float32.
    """
    column = np.empty(0, np.float32)

    @contextmanager
    def room(layers: Sequence[int], width: int, notes: Mapping[str, str]) -> Iterator[Sequence[np.ndarray]]:
        nonlocal column
        column = np.empty(0, np.float32)  # first, or two columns would be in memory at once
        column = np.empty((len(layers), len(texts), width), np.float32)
        yield list(column)

    _fill(room, _Asked(revision, folder, texts, extraction, replace(probe, devices=1), observers=observers))
    return column


@dataclass(frozen=True)
class _Asked:
    """What a column is made of, and who watches; with `tokens` kept where there is a store for them."""

    revision: Revision
    folder: Path
    texts: Sequence[str]
    extraction: Extraction
    probe: ProbeConfig
    layers: Sequence[int] | None = None
    observers: "Sequence[Observer]" = ()
    tokens: ArrayStore | None = None


def _fill(room: Room, asked: _Asked) -> None:
    """One pass, or two.

    The second one is of all texts. So one that overflows float16 gives its neighbours in the column float32 vectors,
    which the arm's identity does not tell; the warning does, and the store's notes.
    """
    try:
        return _pass(room, asked)
    except ImpreciseError as fault:
        if asked.observers:
            raise
        log.warning("%s; computing the column again in float32", fault)
    return _pass(room, replace(asked, extraction=in_float32(asked.extraction)))


def in_float32(extraction: Extraction) -> Extraction:
    return replace(extraction, dtype=Dtype.float32)


def _pass(room: Room, asked: _Asked) -> None:
    from tl_search.probe.faults import faults, normalise
    from tl_search.probe.kept import kept_probe
    from tl_search.probe.ranks import kept_ranks, working
    from tl_search.probe.tokens import tokens_of
    from tl_search.probe.work import Sent, Work

    revision, folder, extraction, config = asked.revision, asked.folder, asked.extraction, asked.probe
    if config.devices > 1:
        kept_ranks(config.devices)  # they import while the model is loaded here
    probe = kept_probe(revision, folder, extraction)
    chosen = probe.every_layer if asked.layers is None else sorted(set(asked.layers))
    for layer in chosen:
        if layer not in probe.every_layer:
            raise ValueError(f"layers: must lie in 0..{probe.every_layer[-1]} at {revision.name}, got {layer}")
    if not chosen:
        raise ValueError("layers: must be at least one, got none")
    tokens = tokens_of(revision, folder, asked.texts, extraction, probe.position_limit, asked.tokens)
    size, largest = probe.model.get_input_embeddings().num_embeddings, int(tokens.ids.max())
    if largest >= size:
        raise ValueError(f"{folder}: its tokenizer gives token {largest}, but the model has only {size}")
    _say_lengths(revision, tokens, probe.model)

    packed = int(tokens.lengths.max()) <= probe.packs
    work = Work(revision, folder, extraction, config, chosen, packed)
    notes = {"dtype": extraction.dtype.value, "texts_cut": str(tokens.cut)}
    with room(chosen, probe.width, notes) as column:
        if config.devices > 1:
            with working(Sent.of(work, tokens, cast(Sequence[np.memmap], column)), config.devices) as ranks:
                written = work.run(tokens, column, heed=ranks.heed)
            written += ranks.written
        else:
            written = work.run(tokens, column, observers=asked.observers)
        if written != len(asked.texts):
            raise RuntimeError(f"{written} of {len(asked.texts)} texts were embedded")
        _judge(faults(chosen, column, tokens.rows), revision, extraction.dtype)
        if extraction.normalise:
            for vectors in column:
                normalise(vectors)


def _judge(found: "Sequence[Fault]", revision: Revision, dtype: Dtype) -> None:
    """Raise what may become better, or cannot be kept; say the rest, since other layers can be scored."""
    told = [f"{revision.name}: layer {fault.layer}: {fault.what}" for fault in found]
    for fault, line in zip(found, told, strict=True):
        if fault.by_rounding and dtype is not Dtype.float32:
            raise ImpreciseError(f"{line} (dtype {dtype.value})")
        if fault.fatal:
            raise NonFiniteError(f"{line} (dtype {dtype.value})")
    for line in told:
        log.warning(line)


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
