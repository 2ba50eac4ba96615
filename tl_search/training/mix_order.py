"""The order of the blocks of a text with several sources, whose shares may change from step to step.

Which source a block comes from, and how many of that source's blocks were read before it, follow from its number alone
and from the spans of equal shares. So a batch is a function of the seed, the curriculum and its step, as that of any
other text is: resumed runs, processes that prepare batches and any number of devices need to know nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_search.plane.curriculum import Curriculum
from tl_search.plane.mixed import Mixed
from tl_search.text.mix import Mix
from tl_search.training.data import BlockLoader, blocks_at, count_blocks
from tl_search.training.ordered import Origin, stream

_PARTS = 1 << 24  # to one part in so many shares are kept; so all is counted in whole numbers, without rounding


def spans_of(curriculum: Curriculum, corpus: Mix, first: int) -> list[Mixed]:
    """The spans of steps with equal shares under a curriculum, from step `first` on; the last one has no end."""
    changes: list[tuple[int, Mapping[str, float]]] = []
    for step in sorted({first, *(stage.first for stage in curriculum.stages.values() if stage.first > first)}):
        shares = corpus.shares(curriculum.stage_at(step).data.get("mix"))  # type: ignore[arg-type]  # its form was checked
        changes.append((step, shares))
    ends = [*(step for step, _ in changes[1:]), None]
    return [Mixed(step, end, shares) for (step, shares), end in zip(changes, ends, strict=True)]


def mixed_since(origin: Origin, curriculum: Curriculum, corpus: Mix) -> list[Mixed]:
    """All spans of a run whose order begins at an origin: what its parents read in this order, then its own."""
    if not origin.mixed:
        return spans_of(curriculum, corpus, origin.step)
    begins = origin.mixed[-1].end
    assert begins is not None
    return [*origin.mixed, *spans_of(curriculum, corpus, begins)]


def up_to(spans: Sequence[Mixed], step: int) -> tuple[Mixed, ...]:
    """What of some spans lies before a step."""
    return tuple(
        Mixed(span.first, step if span.end is None else min(span.end, step), span.shares)
        for span in spans
        if span.first < step
    )


class MixOrder:
    """Which source each block of a training comes from, by the number of the block in the order of reading.

    Within a span the sources alternate as evenly as their shares allow: of its first n blocks, one source has its share
    of n, rounded down, the next one its share of what is left, and so on. So blocks of a source are counted without
    going through all that were read before.

    Args:
        spans: (Number of the first block, share of each source), in order; the first one begins at block 0.
    """

    def __init__(self, spans: Sequence[tuple[int, Sequence[float]]]) -> None:
        self.firsts: list[int] = []
        self.parts: list[list[int]] = []  # of each source, out of what the sources before it leave, in 1 / _PARTS
        self.read: list[np.ndarray] = []  # blocks of each source before the span
        read = np.zeros(len(spans[0][1]), dtype=np.int64)
        for first, shares in spans:
            parts = [_part(shares[at], sum(shares[at:])) for at in range(len(shares))]
            if self.parts and parts == self.parts[-1]:  # a stage with the shares of the one before changes no order
                continue
            if self.parts:
                read = read + _counts(np.array([first - self.firsts[-1]]), self.parts[-1])[:, 0]
            self.firsts.append(first)
            self.parts.append(parts)
            self.read.append(read)

    def at(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Of `count` blocks of one step, from number `first` on: (source of each, how many of it were read before)."""
        span = np.searchsorted(self.firsts, first, side="right") - 1
        numbers = np.arange(first, first + count + 1) - self.firsts[span]
        counts = _counts(numbers, self.parts[span])
        sources = np.diff(counts, axis=1).argmax(axis=0)
        return sources, (counts[:, :-1] + self.read[span][:, None])[sources, np.arange(count)]


def _part(share: float, left: float) -> int:
    return round(share / left * _PARTS) if left else 0


def _counts(numbers: np.ndarray, parts: Sequence[int]) -> np.ndarray:
    """How many of the first n blocks of a span each source has: int64 (source, number)."""
    found, left = [], numbers.astype(np.int64)
    for part in parts[:-1]:
        found.append(left * part // _PARTS)
        left = left - found[-1]
    return np.stack([*found, left])


class MixedLoader(BlockLoader):
    """Batches of blocks of several sources. Each source is read in a random order of its own, again and again.

    An epoch has as many steps as all blocks of all sources fill. A source whose share is larger than its part of the
    text is read several times in it, and another one only in part; the next epoch goes on where the last one ended.

    Args:
        spans: What holds from which step on; the first one begins where the order does.
        names: Of the sources, in the order of their tokens.
        arguments: Those of `BlockLoader`, with the tokens of each source.

    Raises:
        ValueError: a source has not one block.
    """

    def __init__(self, spans: Sequence[Mixed], names: Sequence[str], *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names, self.sizes = names, np.array([count_blocks(len(row), self.context) for row in self.tokens])
        for name, row, size in zip(names, self.tokens, self.sizes, strict=True):
            if not size:
                raise ValueError(
                    f"data.corpus.sources.{name}: must hold a block of {self.context} tokens, got {len(row)} tokens"
                )
        per_step = self.batch_size * self.ranks * self.batches_per_step
        self.order = MixOrder(
            [
                ((span.first - self.origin.step) * per_step, [span.shares.get(name, 0.0) for name in names])
                for span in spans
            ]
        )
        self._passes: dict[int, tuple[int, np.ndarray]] = {}  # source → a pass over it and its order

    def read(self, epoch: int, batch: int) -> "tuple[Any, list[tuple[int | str, ...]]]":
        number = (epoch - self.origin.epoch) * self.length + batch
        sources, before = self.order.at((number * self.ranks + self.rank) * self.batch_size, self.batch_size)
        passes, spots = np.divmod(before, self.sizes[sources])
        found = [
            (int(source), int(turn), int(self._pass(int(source), int(turn))[spot]))
            for source, turn, spot in zip(sources, passes, spots, strict=True)
        ]
        blocks = blocks_at([(self.tokens[source], place) for source, _, place in found], self.context)
        return blocks, [(self.origin.epoch, self.names[source], turn, place) for source, turn, place in found]

    def _pass(self, source: int, turn: int) -> np.ndarray:
        """The order of the blocks of a source in one pass over it."""
        known = self._passes.get(source)
        if known is None or known[0] != turn:
            seed = stream(self.seed, "order", self.origin.epoch, self.names[source], turn)
            known = turn, np.random.default_rng(seed).permutation(self.sizes[source])
            self._passes[source] = known
        return known[1]
