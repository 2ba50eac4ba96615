"""Texts to batches: tokenised once, sorted by length, so many tokens a batch.

Which texts share a batch follows from the list of texts alone, never from what was asked for first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tl_search.plane.extraction import BeginToken, Extraction

if TYPE_CHECKING:
    from jaxtyping import Int  # a language of shapes for readers and checkers


Row = np.ndarray  # one text's token ids, int32


class Batch(NamedTuple):
    """Texts for one forward pass.

    Args:
        ids: Token ids: one row per text, padded on the right; or, packed, one row with the texts end to end.
        lengths: Tokens of each text, >= 1.
        texts: Each text's place in the list of all texts.
        groups: Packed: (texts, length) of the runs of equally long texts, in order; empty when padded.
    """

    ids: Int[Tensor, "row token"]
    lengths: Int[Tensor, " text"]
    texts: Int[Tensor, " text"]
    groups: tuple[tuple[int, int], ...] = ()


def tokenise(tokenizer: Any, texts: Sequence[str], extraction: Extraction, limit: int | None = None) -> list[Row]:
    """The token ids of every text, at most `max_length` (and `limit`: what the model has positions for).

    Raises:
        ValueError: a text has no token, named by its index; or a BOS is asked for that the tokenizer lacks.
    """
    length = min(extraction.max_length, limit or extraction.max_length)
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
    own = tokenizer("")["input_ids"][:1] == [begin]
    add = extraction.begin is BeginToken.always and not own
    if add and begin is None:
        raise ValueError("begin: must be tokenizer or never (the model's tokenizer has no BOS token), got always")
    drop = extraction.begin is BeginToken.never and own
    tokenizer.truncation_side = "right"
    rows = tokenizer(
        [extraction.prompt + text for text in texts],
        truncation=True,
        max_length=max(length - add + drop, 1),
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    if drop:
        rows = [row[1:] for row in rows]
    if add:
        rows = [[begin, *row][:length] for row in rows]
    for number, row in enumerate(rows):
        if not row:
            raise ValueError(f"texts[{number}]: must have at least one token, got {texts[number]!r}")
    return [np.array(row, np.int32) for row in rows]


def padded(rows: Sequence[Row], budget: int, pad: int) -> list[Batch]:
    """Batches of texts of like length; `budget` counts tokens with their padding."""
    batches = []
    for texts in _shares(rows, budget, padding=True):
        lengths = torch.tensor([len(rows[text]) for text in texts])
        ids = torch.full((len(texts), int(lengths.max())), pad)
        for row, text in zip(ids, texts, strict=True):
            row[: len(rows[text])] = torch.from_numpy(rows[text])
        batches.append(Batch(ids, lengths, torch.tensor(texts)))
    return batches


def packed(rows: Sequence[Row], budget: int) -> list[Batch]:
    """Batches of one row each, in which texts stand end to end, equally long ones together."""
    batches = []
    for texts in _shares(rows, budget, padding=False):
        lengths = [len(rows[text]) for text in texts]
        groups = tuple((len(list(run)), length) for length, run in groupby(lengths))
        ids = torch.from_numpy(np.concatenate([rows[text] for text in texts])).long()[None]
        batches.append(Batch(ids, torch.tensor(lengths), torch.tensor(texts), groups))
    return batches


def _shares(rows: Sequence[Row], budget: int, padding: bool) -> list[list[int]]:
    """Longest texts first, so that a batch that does not fit into memory fails at once."""
    shares: list[list[int]] = []
    used = 0
    for text in sorted(range(len(rows)), key=lambda text: -len(rows[text])):
        tokens = len(rows[shares[-1][0]]) if shares and padding else len(rows[text])
        if not shares or used + tokens > budget:
            shares.append([])
            used, tokens = 0, len(rows[text])
        shares[-1].append(text)
        used += tokens
    return shares
