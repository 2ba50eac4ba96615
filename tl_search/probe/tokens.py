"""Texts to token ids: made once for all revisions that share a tokenizer, then memory-mapped from a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_search.plane.extraction import BeginToken, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.loading import load_tokenizer
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import digest, text_digest

Row = np.ndarray  # one text's token ids, int32

_SOME = "a A 1"  # a text of which every tokenizer makes at least one token
_AT_ONCE = 4096  # texts: what a tokenizer returns is many times as large as the ids

_KEPT_LISTS = 32  # lists of texts kept in memory: more than the tasks of most suites


class Tokens(NamedTuple):
    """The token ids of a list of texts.

    Args:
        ids: Of all texts, end to end, int32.
        lengths: Tokens of each text; 0 where a tokenizer that adds no token finds none in a text, such as a blank one.
        cut: How many texts were longer than the limit and lost their end.
    """

    ids: np.ndarray
    lengths: np.ndarray
    cut: int

    @property
    def empty(self) -> list[int]:
        """The indices of the texts without tokens."""
        return np.flatnonzero(np.asarray(self.lengths) == 0).tolist()

    @property
    def rows(self) -> Sequence[Row]:
        """The ids of each text."""
        return _Rows(self)


class _Rows(Sequence[Row]):
    """The ids of each text, as slices of the ids of all texts."""

    def __init__(self, tokens: Tokens) -> None:
        self._ids = np.asarray(tokens.ids)  # slicing a memmap takes ten times as long
        self._ends = np.cumsum(np.asarray(tokens.lengths))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, text: Any) -> Any:
        text = range(len(self))[text]  # raises IndexError behind the last text, which ends an iteration
        return self._ids[self._ends[text - 1] if text else 0 : self._ends[text]]


class TokenCache:
    """The token ids of lists of texts, and the tokenizer that made the last ones."""

    def __init__(self) -> None:
        self._lists: dict[str, Tokens] = {}  # by what they depend on, oldest first
        self._tokenizer: tuple[str, Any] = ("", None)  # by its digest: revisions of a run share it

    def tokens(
        self,
        revision: Revision,
        folder: Path,
        texts: Sequence[str],
        extraction: Extraction,
        limit: int | None = None,
        store: ArrayStore | None = None,
    ) -> Tokens:
        """The tokens of the texts, made only when they are not known.

        Args:
            revision: Its tokenizer lies in `folder`.
            folder: Read only when the tokens are not known.
            extraction: The tokens depend on its `prompt`, `begin` and `max_length`.
            limit: How many tokens the model has positions for; None = any number.
            store: Keeps the tokens on disk, from where they are memory-mapped; None = they are kept in memory.

        Raises:
            ValueError: as `tokenise`, or the folder's tokenizer does not load.
        """
        about = [extraction.prompt, extraction.begin.value, extraction.max_length, limit]
        key = digest(["tokens", revision.tokenizer, *about, [text_digest(text) for text in texts]], 32)

        def made() -> Tokens:
            if self._tokenizer[0] != revision.tokenizer or not revision.tokenizer:
                self._tokenizer = (revision.tokenizer, load_tokenizer(folder))
            return tokenise(self._tokenizer[1], texts, extraction, limit)

        if store is not None:
            found = _stored(store, key, len(texts))
            if found is None:
                fresh = made()
                store.put(key, {"ids": fresh.ids, "lengths": fresh.lengths, "cut": np.array([fresh.cut])})
                found = _stored(store, key, len(texts)) or fresh
            return found
        if key not in self._lists:
            while len(self._lists) >= _KEPT_LISTS:
                del self._lists[next(iter(self._lists))]
            self._lists[key] = made()
        return self._lists[key]


def _stored(store: ArrayStore, key: str, texts: int) -> Tokens | None:
    """The tokens of so many texts; an entry that cannot be that is removed, whoever wrote it."""
    arrays = store.mapped(key)
    if arrays is None:
        return None
    ids, lengths, cut = (arrays.get(name) for name in ("ids", "lengths", "cut"))
    if ids is None or lengths is None or cut is None or not _are_tokens(ids, lengths, cut, texts):
        store.remove(key)
        return None
    return Tokens(ids, lengths, int(cut[0]))


def _are_tokens(ids: np.ndarray, lengths: np.ndarray, cut: np.ndarray, texts: int) -> bool:
    whole = all(array.ndim == 1 and array.dtype.kind == "i" for array in (ids, lengths, cut))
    if not whole or len(lengths) != texts or len(cut) != 1:
        return False
    return bool((lengths >= 0).all() and int(lengths.sum()) == len(ids) and (ids >= 0).all())


def tokenise(tokenizer: Any, texts: Sequence[str], extraction: Extraction, limit: int | None = None) -> Tokens:
    """Token ids of every text, cut to the extraction's `max_length`.

    Args:
        extraction: Its `prompt`, `begin` and `max_length` are used.
        limit: How many tokens the model has positions for, a second limit; None = any number.

    Raises:
        ValueError: the tokenizer has no BOS though one is asked for.
    """
    length = min(extraction.max_length, limit or extraction.max_length)
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    own = begins_by_itself(tokenizer)
    add = extraction.begin is BeginToken.always and not own
    if add and begin is None:
        raise ValueError(
            "extraction.begin: must be tokenizer or never (the model's tokenizer has no BOS token), got always"
        )
    drop = extraction.begin is BeginToken.never and own
    tokenizer.truncation_side = "right"
    parts: list[np.ndarray] = []  # ids of so many texts each, end to end
    lengths = np.empty(len(texts), np.int64)
    cut = 0
    for start in range(0, len(texts), _AT_ONCE):
        found = tokenizer(
            [extraction.prompt + text for text in texts[start : start + _AT_ONCE]],
            truncation=True,
            max_length=max(length - add + drop, 1),
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        rows = found["input_ids"]
        # a tokenizer written in Python does not say what it cut; then every text of the largest length is counted
        cut += sum(
            bool(found.encodings[number].overflowing) if found.encodings else len(row) >= length
            for number, row in enumerate(rows)
        )
        if drop:
            rows = [row[1:] for row in rows]
        if add:
            rows = [[begin, *row][:length] for row in rows]
        for number, row in enumerate(rows, start):
            lengths[number] = len(row)
        parts.append(np.fromiter(chain.from_iterable(rows), np.int32))
    return Tokens(np.concatenate(parts), lengths, cut)


def begins_by_itself(tokenizer: Any) -> bool:
    """Whether the tokenizer puts its BOS (or CLS) before every text, as one of its special tokens."""
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    return _first(tokenizer, True) == [begin] != _first(tokenizer, False)


def _first(tokenizer: Any, special: bool) -> list[int]:
    """The first id of a text. The text is not empty: then an EOS would come first, which often equals the BOS."""
    return tokenizer(_SOME, add_special_tokens=special)["input_ids"][:1]
