"""One column of the plane: every text's vector at every layer of a revision, written once into a store.

A column is computed in the extraction's dtype, or in float32 where that dtype gives NaN, infinity, zeros or vectors
that are all the same. Its vectors still depend on nothing but weights, tokenizer, extraction and texts, of which its
key is made. That float32 was used is logged, and stands in the notes of the store's entry.

A text without tokens, which a blank one is where the tokenizer adds none, has the zero vector at every layer. That is
what sentence-transformers gives with mean pooling. Such texts are logged.

Vectors are written to their final place, layer by layer in one file, so a column need not fit into memory.
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
from tl_search.store.arrays import ArrayStore
from tl_search.store.atomic import sweep_litter
from tl_search.store.keys import digest, texts_digest

if TYPE_CHECKING:
    from tl_search.probe.config import ProbeConfig
    from tl_search.probe.faults import Fault
    from tl_search.probe.observers import Observer
    from tl_search.probe.session import ProbeSession
    from tl_search.probe.tokens import Tokens

log = logging.getLogger(__name__)

_DEAD = 3600.0  # seconds without a change after which the process that wrote half a column must have died

# (layers, width, notes) → one array (text, width) for each layer, to be filled in the block; kept when it has ended.
Destination = Callable[[Sequence[int], int, Mapping[str, str]], AbstractContextManager[Sequence[np.ndarray]]]


class NonFiniteError(ValueError):
    """Some vectors hold NaN or infinity; the message names the revision, the layer and how many."""


class ImpreciseError(ValueError):
    """Some vectors are wrong in a way that float32 may mend; the message says what is wrong."""


def layer_name(layer: int) -> str:
    """The name of a layer's array in a column."""
    return f"layer_{layer:03d}"


def column_key(
    revision: Revision, extraction: Extraction, texts: Sequence[str], layers: Sequence[int] | None = None
) -> str:
    """The store's key of a column: a digest of all that its vectors depend on, of its texts and of its layers.

    Args:
        revision: With the digests of its weights and its tokenizer.
        extraction: With a settled dtype.
        texts: In the order of the rows.
        layers: The wanted ones; None = all, which has another key than a list of all of them.

    Raises:
        ValueError: the revision's digests are unknown, or the extraction's dtype is not settled.
    """
    if not revision.weights or not revision.tokenizer:
        raise ValueError(f"revision: {revision.name} must have digests of its weights and its tokenizer")
    identity: dict[str, Any] = {
        "weights": revision.weights,
        "tokenizer": revision.tokenizer,
        "extraction": extraction.identity(),
        "texts": texts_digest(texts),
    }
    if layers is not None:
        identity["layers"] = sorted(set(layers))
    return digest(identity, 32)


def embed_column(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    session: "ProbeSession",
    store: ArrayStore,
    layers: Sequence[int] | None = None,
) -> str:
    """Put a column into the store, unless it is there: then nothing is loaded.

    The store's notes give the dtype that was used, how many texts were cut to the longest allowed length, the revision
    and its weights, the number of layers and a digest of the texts. The store checks the key, a digest of all of these.

    Args:
        revision: Its weights and tokenizer lie in `folder`.
        texts: May repeat; rows have their order.
        extraction: With a settled dtype.
        session: Computes, on its devices.
        store: Gets the vectors, and in its folder `tokens` the token ids of the texts.
        layers: The wanted ones of 0..L, in any order; None = all. Blocks above the highest do not run. Some layers are
            kept apart from a column of all, which may have become float32 because of a layer that is not wanted here.

    Returns:
        The key under which the store has the arrays `layer_000`, `layer_001`, … of shape (text, width) in fp32.

    Raises:
        ValueError: a layer is none of 0..L, or the folder holds no model that can be probed.
        NonFiniteError: the model gives NaN or infinity, in float32 too.
    """
    if not texts:
        raise ValueError("texts: must be at least one, got none")
    key = column_key(revision, extraction, texts, layers)
    if store.whole(key):
        return key
    sweep_litter(store.folder, idle=_DEAD)

    about = {"revision": revision.name, "weights": revision.weights or "", "texts": texts_digest(texts)}

    @contextmanager
    def destination(layers: Sequence[int], width: int, notes: Mapping[str, str]) -> Iterator[Sequence[np.ndarray]]:
        layout = {layer_name(layer): ((len(texts), width), np.dtype(np.float32)) for layer in layers}
        with store.create(key, layout, {**notes, **about, "layers": str(len(layers))}) as arrays:
            yield [arrays[layer_name(layer)] for layer in layers]

    tokens = ArrayStore(store.folder / "tokens")
    _fill(destination, _Asked(revision, folder, texts, extraction, session, session.config, layers, tokens=tokens))
    return key


def column_vectors(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    session: "ProbeSession",
    observers: "Sequence[Observer]" = (),
) -> np.ndarray:
    """Compute a column without a store; `observers` are shown its token states.

    What observers have seen cannot be taken back, so with observers nothing is repeated in float32: the caller does it.
    They live in this process, so one device computes, however many the session has.

    Args:
        revision, folder, texts, extraction, session: As for `embed_column`.
        observers: Called at every layer of every batch.

    Returns:
        The vectors (layer, text, width) in fp32.

    Raises:
        ValueError, NonFiniteError: as `embed_column`; also for a text without tokens where there are observers.
        ImpreciseError: only with observers: a dtype shorter than float32 gave NaN, infinity, zeros or vectors that are
            all the same.
    """
    column = np.empty(0, np.float32)

    @contextmanager
    def destination(layers: Sequence[int], width: int, notes: Mapping[str, str]) -> Iterator[Sequence[np.ndarray]]:
        nonlocal column
        column = np.empty(0, np.float32)  # frees the first pass's column before the second one gets its own
        column = np.zeros((len(layers), len(texts), width), np.float32)
        yield list(column)

    alone = replace(session.config, devices=1)
    _fill(destination, _Asked(revision, folder, texts, extraction, session, alone, observers=observers))
    return column


@dataclass(frozen=True)
class _Asked:
    """What a column is made of, with the observers of its pass and the store (if any) of its tokens."""

    revision: Revision
    folder: Path
    texts: Sequence[str]
    extraction: Extraction
    session: "ProbeSession"
    config: "ProbeConfig"
    layers: Sequence[int] | None = None
    observers: "Sequence[Observer]" = ()
    tokens: ArrayStore | None = None


def _fill(destination: Destination, asked: _Asked) -> None:
    """One pass over all texts, and a second one in float32 where the first gave vectors that are wrong.

    So a single text that overflows float16 gives all texts float32 vectors. The arm's identity does not show that; the
    warning and the store's notes do.
    """
    try:
        return _pass(destination, asked)
    except ImpreciseError as fault:
        if asked.observers:
            raise
        log.warning("%s; computing the column again in float32", fault)
    return _pass(destination, replace(asked, extraction=in_float32(asked.extraction)))


def in_float32(extraction: Extraction) -> Extraction:
    """The same extraction with dtype float32."""
    return replace(extraction, dtype=Dtype.float32)


def _pass(destination: Destination, asked: _Asked) -> None:
    from tl_search.probe.faults import faults, normalise
    from tl_search.probe.work import Sent, Work

    revision, folder, extraction, session = asked.revision, asked.folder, asked.extraction, asked.session
    ranks = session.ranks if asked.config.devices > 1 else None  # they import while the model is loaded here
    probe = session.models.probe(revision, folder, extraction)
    chosen = probe.every_layer if asked.layers is None else sorted(set(asked.layers))
    for layer in chosen:
        if layer not in probe.every_layer:
            raise ValueError(f"layers: must lie in 0..{probe.every_layer[-1]} at {revision.name}, got {layer}")
    if not chosen:
        raise ValueError("layers: must be at least one, got none")
    tokens = session.tokens.tokens(revision, folder, asked.texts, extraction, probe.position_limit, asked.tokens)
    if (empty := tokens.empty) and asked.observers:
        raise ValueError(f"texts[{empty[0]}]: must have at least one token, got {asked.texts[empty[0]]!r}")
    size, largest = probe.model.get_input_embeddings().num_embeddings, int(np.max(tokens.ids, initial=0))
    if largest >= size:
        raise ValueError(f"{folder}: its tokenizer gives token {largest}, but the model has only {size}")
    _log_lengths(revision, tokens, probe.model)

    packed = int(tokens.lengths.max()) <= probe.packs
    work = Work(revision, folder, extraction, asked.config, chosen, packed)
    notes = {"dtype": extraction.dtype.value, "texts_cut": str(tokens.cut)}
    with destination(chosen, probe.width, notes) as column:
        if len(empty) == len(asked.texts):
            return  # the vectors are zero already
        if ranks is None:
            written = work.run(session.models, tokens, column, observers=asked.observers)
        else:
            with ranks.working(Sent.of(work, tokens, cast(Sequence[np.memmap], column))):
                written = work.run(session.models, tokens, column, after_batch=ranks.check)
            written += ranks.written
        if written + len(empty) != len(asked.texts):
            raise RuntimeError(f"{written} of {len(asked.texts)} texts were embedded")
        _report(faults(chosen, column, tokens.rows), revision, extraction.dtype)
        if extraction.normalise:
            for vectors in column:
                normalise(vectors)


def _report(found: "Sequence[Fault]", revision: Revision, dtype: Dtype) -> None:
    """Raise for vectors that float32 may mend, or that are no numbers; warn of the rest: other layers can be scored.

    Raises:
        ImpreciseError: the dtype is shorter than float32, and a longer one may give better vectors.
        NonFiniteError: a vector holds NaN or infinity.
    """
    told = [f"{revision.name}: layer {fault.layer}: {fault.what}" for fault in found]
    for fault, line in zip(found, told, strict=True):
        if fault.by_rounding and dtype is not Dtype.float32:
            raise ImpreciseError(f"{line} (dtype {dtype.value})")
        if fault.fatal:
            raise NonFiniteError(f"{line} (dtype {dtype.value})")
    for line in told:
        log.warning(line)


def _log_lengths(revision: Revision, tokens: "Tokens", model: Any) -> None:
    context = getattr(model.config, "max_position_embeddings", None)
    longest = int(tokens.lengths.max())
    if context is not None and longest > context:
        log.info("%s: the longest text has %d tokens, but the model's context %d", revision.name, longest, context)
    if empty := tokens.empty:
        log.warning(
            "%s: %d of %d texts have no tokens, and so the zero vector; begin=always gives them one token",
            *(revision.name, len(empty), len(tokens.lengths)),
        )
    if tokens.cut:
        log.info(
            "%s: %d of %d texts are longer than %d tokens; only their start is embedded",
            *(revision.name, tokens.cut, len(tokens.lengths), longest),
        )
