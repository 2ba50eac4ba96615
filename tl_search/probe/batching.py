"""Token ids to batches: sorted by length, so many tokens a batch.

Which texts share a batch follows from the list of texts alone, never from what was asked for first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tl_search.probe.tokens import Row

if TYPE_CHECKING:
    from jaxtyping import Int  # a language of shapes for readers and checkers


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


def padded(rows: Sequence[Row], budget: int, pad: int) -> list[Batch]:
    """Batches of texts of like length; `budget` counts tokens with their padding."""
    batches = []
    for texts in _shares(rows, budget, padding=True):
        lengths = torch.tensor([len(rows[text]) for text in texts])
        ids = np.full((len(texts), int(lengths.max())), pad)
        for row, text in zip(ids, texts, strict=True):
            row[: len(rows[text])] = rows[text]
        batches.append(Batch(torch.from_numpy(ids), lengths, torch.tensor(texts)))
    return batches


def packed(rows: Sequence[Row], budget: int) -> list[Batch]:
    """Batches of one row each, in which texts stand end to end, equally long ones together."""
    batches = []
    for texts in _shares(rows, budget, padding=False):
        lengths = [len(rows[text]) for text in texts]
        ids = torch.from_numpy(np.concatenate([rows[text] for text in texts])).long()[None]
        batches.append(Batch(ids, torch.tensor(lengths), torch.tensor(texts), _groups(lengths)))
    return batches


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Two batches with the texts in the same order; of two texts or more."""
    middle = len(batch.lengths) // 2
    lengths = batch.lengths[:middle], batch.lengths[middle:]
    if batch.groups:
        border = int(lengths[0].sum())
        ids = batch.ids[:, :border], batch.ids[:, border:]
        groups = _groups(lengths[0].tolist()), _groups(lengths[1].tolist())
    else:
        ids = batch.ids[:middle, : int(lengths[0].max())], batch.ids[middle:, : int(lengths[1].max())]
        groups = (), ()
    return (
        Batch(ids[0], lengths[0], batch.texts[:middle], groups[0]),
        Batch(ids[1], lengths[1], batch.texts[middle:], groups[1]),
    )


def _groups(lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((len(list(run)), length) for length, run in groupby(lengths))


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
