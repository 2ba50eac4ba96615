"""Batches of token blocks. Which blocks are in a batch depends on the seed, the epoch and the batch's number alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tl_search.errors.limits import between
from tl_search.text.corpus import Corpus, Reading, fingerprint
from tl_search.text.excerpt import excerpt_of
from tl_search.text.mix import Mix
from tl_search.training.mix_text import PackedMix, mix_digest, pack_mix
from tl_search.training.ordered import FROM_THE_START, OrderedLoader, Origin, stream
from tl_search.training.packed_text import PackedText
from tl_search.training.packing import pack, rules_of
from tl_search.training.stage_data import BatchForm, formed
from tl_search.training.tokens import TokenizerConfig

if TYPE_CHECKING:
    from torch import Tensor

MOST_WORKERS = 256  # processes
_LEAST = 200_000  # characters, so that a tokenizer has something to learn from
_PER_TOKEN = 16  # characters that even a long token has on average


@dataclass(frozen=True)
class Text:
    """The text that a model is trained on, and how it is divided into batches.

    Args:
        corpus: Where documents come from.
        batch_size: Blocks in a batch; with accumulated gradients a step has several batches.
        validation_share: Share of the documents held out, 0 to below 1; 0 measures no eval loss. Where they hold more
            than twice this share of the tokens, the longest of them give only their ends.
        validation_batches: The eval loss is measured on at most so many batches.
        drop_last: Whether an epoch leaves out its last blocks when they do not fill a whole step; otherwise its last
            step is completed with the first blocks of the epoch's order, so that every block is read.
        workers: Processes that prepare batches; 0 prepares them in the training process, which takes microseconds when
            the tokens are in memory or on a local disk. The number changes nothing but the speed.
    """

    corpus: Corpus
    batch_size: int = 16
    validation_share: float = 0.02
    validation_batches: int = 8
    drop_last: bool = True
    workers: int = 0

    DECIDES: ClassVar = {
        "weights": "corpus batch_size validation_share validation_batches drop_last",
        "free": "workers",
    }

    def __post_init__(self) -> None:
        between(1, 10**6, batch_size=self.batch_size)
        between(1, 10**9, validation_batches=self.validation_batches)
        if not 0 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"workers: must be from 0 to {MOST_WORKERS}, got {self.workers}")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share: must be at least 0 and below 1, got {self.validation_share}")

    @property
    def remote(self) -> str | None:
        """What must be downloaded before the text can be read."""
        return self.corpus.remote

    def check(self) -> None:
        """Quickly look for mistakes, without reading the text. Raises ValueError: `corpus.field: must be X, got Y`."""
        try:
            self.corpus.check()
        except ValueError as error:
            raise ValueError(f"corpus.{error}") from error

    def fingerprint(self, recorded: Mapping[str, str]) -> str:
        """A digest of what is trained on, as the record of a run has it under `corpus`."""
        rules = rules_of(recorded)
        if isinstance(self.corpus, Mix):
            return mix_digest(self.corpus, rules)
        return fingerprint(Reading(self.corpus, rules))[0]

    @property
    def holds_out(self) -> bool:
        """Whether there is text for the eval loss."""
        return self.validation_share > 0

    def excerpt(self, tokens: int, batches: int, evaluates: bool) -> "Text":
        """The beginning of the text, for a run that is only tried.

        Args:
            tokens: So many there are at least.
            batches: Most batches for the eval loss.
            evaluates: Whether it is measured at all.
        """
        corpus = excerpt_of(self.corpus, max(_LEAST, _PER_TOKEN * tokens))
        if not evaluates:
            return replace(self, corpus=corpus, validation_share=0.0)
        return replace(self, corpus=corpus, validation_batches=min(self.validation_batches, batches))

    def pack(
        self, tokenizer: TokenizerConfig, cache: Path, recorded: Mapping[str, str] | None = None, context: int = 0
    ) -> PackedText | PackedMix:
        """The corpus as tokens.

        Args:
            recorded: What the record of a run that exists says of its text.
            context: Predicted tokens of a block; one block is held out at least.
        """
        how = tokenizer, self.validation_share, cache, rules_of(recorded), context + 1
        return pack_mix(self.corpus, *how) if isinstance(self.corpus, Mix) else pack(self.corpus, *how)


Tokens = np.ndarray | Sequence[np.ndarray]  # (token,), or those of each source


def count_blocks(tokens: int, context: int) -> int:
    """Blocks of `context` predicted tokens in so many tokens; neighbouring blocks share one token."""
    return max(0, (tokens - 1) // context)


def rows_of(tokens: Tokens) -> Sequence[np.ndarray]:
    """The tokens of each source."""
    return (tokens,) if isinstance(tokens, np.ndarray) else tokens


def total_blocks(tokens: Tokens, context: int) -> int:
    """Blocks of all sources; none has tokens of two of them."""
    return sum(count_blocks(len(row), context) for row in rows_of(tokens))


class BlockLoader(OrderedLoader):
    """Batches of blocks, int64 (block, context + 1), as `OrderedLoader` orders them.

    A batch has the form of its step (`stage_data.BatchForm`), which may cut blocks into shorter sequences.

    Args:
        tokens: The training text, (token,), or that of each source; neighbouring blocks share one token.
        context: Predicted tokens of a block.
        form_at: Completed steps → the form of the batches of the next one; None leaves blocks as they are.
        vocabulary: Number of tokens from which noise is drawn.
    """

    def __init__(
        self,
        tokens: Tokens,
        context: int,
        batch_size: int,
        batches_per_step: int,
        seed: int,
        drop_last: bool = True,
        rank: int = 0,
        ranks: int = 1,
        workers: int = 0,
        limit: float | None = None,
        origin: Origin = FROM_THE_START,
        form_at: "Callable[[int], BatchForm] | None" = None,
        vocabulary: int = 1,
    ) -> None:
        rows = rows_of(tokens)
        blocks = total_blocks(rows, context)
        super().__init__(
            blocks, f"blocks of {context} tokens", f"{sum(map(len, rows))} tokens ({blocks} blocks)", batch_size,
            batches_per_step, seed, drop_last, rank, ranks, workers, limit, origin,
        )  # fmt: skip
        self.tokens, self.context, self.form_at, self.vocabulary = rows, context, form_at, vocabulary

    def make(self, epoch: int, batch: int) -> "Tensor":
        blocks, names = self.read(epoch, batch)
        if self.form_at is None:
            return blocks
        form = self.form_at(self.step_of(epoch, batch))
        seeds = [stream(self.seed, "noise", *name) for name in names] if form.noise else []
        return formed(blocks, form, seeds, self.vocabulary)

    def read(self, epoch: int, batch: int) -> "tuple[Tensor, list[tuple[int | str, ...]]]":
        """(the blocks of a batch, what tells the reading of each one from all others, for its noise).

        The noise is of the block and not of its place in the batch, so that it is the same on any number of devices.
        """
        places = self.places(epoch, batch)
        return take_blocks(self.tokens[0], places, self.context), [(epoch, int(place)) for place in places]


def held_out_batches(tokens: Tokens, context: int, batch_size: int, batches: int) -> "list[Tensor]":
    """Batches for the eval loss, int64 (block, context + 1): evenly spread over the held-out tokens of all sources."""
    rows = rows_of(tokens)
    ends = np.cumsum([count_blocks(len(row), context) for row in rows])
    count = min(int(ends[-1]), batch_size * batches)
    numbers = np.linspace(0, ends[-1] - 1, count).round().astype(int) if count else np.array([], dtype=int)
    sources = np.searchsorted(ends, numbers, side="right")
    firsts = np.concatenate([[0], ends])[sources]
    found = [(rows[source], place) for source, place in zip(sources, numbers - firsts, strict=True)]
    return [blocks_at(found[start : start + batch_size], context) for start in range(0, count, batch_size)]


def take_blocks(tokens: np.ndarray, places: "np.ndarray[Any, Any]", context: int) -> "Tensor":
    """The blocks at `places`, as int64 (block, context + 1)."""
    return blocks_at([(tokens, place) for place in places], context)


def blocks_at(found: "Sequence[tuple[np.ndarray, int]]", context: int) -> "Tensor":
    """Blocks by (tokens, place in them), as int64 (block, context + 1)."""
    import torch

    rows = [tokens[place * context : place * context + context + 1] for tokens, place in found]
    return torch.from_numpy(np.stack(rows).astype(np.int64))
