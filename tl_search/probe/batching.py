"""Token ids to batches of texts of similar length, with a limited number of tokens each.

Which texts share a batch depends on the list of texts and the limit alone, so vectors do not depend on anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tl_search.probe.tokens import Row

if TYPE_CHECKING:
    from jaxtyping import Int  # a language of shapes for readers and checkers


class Batch(NamedTuple):
    """Texts for one forward pass.

    Args:
        ids: Token ids: one row per text, padded on the right; or, packed, one row with the texts end to end.
        lengths: Tokens of each text, >= 1.
        texts: The index of each text in the list of all texts.
        groups: Of a packed batch: (number of texts, their length) for each run of equally long texts; () when padded.
    """

    ids: Int[Tensor, "row token"]
    lengths: Int[Tensor, " text"]
    texts: Int[Tensor, " text"]
    groups: tuple[tuple[int, int], ...] = ()


class Batches(Dataset[Batch]):
    """The batches of a list of texts. Each is made when it is asked for, so only one is in memory.

    A text without tokens is in no batch.

    Args:
        rows: The token ids of each text.
        budget: Tokens in a batch at most, padding included; a longer text is a batch of its own.
        pad: The id that fills a padded batch; None packs the texts end to end, equally long ones together.
    """

    def __init__(self, rows: Sequence[Row], budget: int, pad: int | None) -> None:
        self.rows, self.pad = rows, pad
        self.shares = _shares(rows, budget, padding=pad is not None)

    def __len__(self) -> int:
        return len(self.shares)

    def __getitem__(self, number: int) -> Batch:
        texts = self.shares[number]
        rows = [self.rows[text] for text in texts]
        lengths = [len(row) for row in rows]
        places = torch.tensor(lengths), torch.from_numpy(texts)
        if self.pad is None:
            return Batch(torch.from_numpy(np.concatenate(rows)).long()[None], *places, _groups(lengths))
        ids = np.full((len(rows), max(lengths)), self.pad)
        for line, row in zip(ids, rows, strict=True):
            line[: len(row)] = row
        return Batch(torch.from_numpy(ids), *places)


def default_budget(on_cpu: bool) -> int:
    """Tokens in a pass: enough to keep a GPU busy, few enough for a CPU's cache."""
    return 2048 if on_cpu else 16384


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """The batch, of at least two texts, as two batches with the texts in the same order."""
    middle = len(batch.lengths) // 2
    return _part(batch, slice(0, middle)), _part(batch, slice(middle, None))


def _part(batch: Batch, texts: slice) -> Batch:
    lengths = batch.lengths[texts]
    if not batch.groups:
        return Batch(batch.ids[texts, : int(lengths.max())], lengths, batch.texts[texts])
    start = int(batch.lengths[: texts.start].sum())
    ids = batch.ids[:, start : start + int(lengths.sum())]
    return Batch(ids, lengths, batch.texts[texts], _groups(lengths.tolist()))


def _groups(lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((len(list(run)), length) for length, run in groupby(lengths))


def _shares(rows: Sequence[Row], budget: int, padding: bool) -> list[np.ndarray]:
    """The indices of each batch's texts, longest first, so that a batch which exceeds the memory fails at the start."""
    lengths = np.fromiter(map(len, rows), np.int64)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    starts, used, widest = [0], 0, 0
    for place, tokens in enumerate(lengths[order].tolist()):
        widest = widest or tokens
        if used and used + (widest if padding else tokens) > budget:
            starts.append(place)
            used, widest = 0, tokens
        used += widest if padding else tokens
    return np.split(order, starts[1:])
