"""Batches of token blocks. Which blocks are in a batch depends on the seed, the epoch and the batch's number alone."""

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tl_search.errors.limits import between
from tl_search.store.keys import digest
from tl_search.text.corpus import Corpus
from tl_search.training.interrupts import SIGNALS
from tl_search.training.limits import limited
from tl_search.training.packing import PackedText, pack, rules_of
from tl_search.training.stage_data import BatchForm, formed
from tl_search.training.tokens import TokenizerConfig

if TYPE_CHECKING:
    from torch import Tensor

MOST_WORKERS = 256  # processes


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

    def pack(
        self, tokenizer: TokenizerConfig, cache: Path, recorded: Mapping[str, str] | None = None, context: int = 0
    ) -> PackedText:
        """The corpus as tokens.

        Args:
            recorded: What the record of a run that exists says of its text.
            context: Predicted tokens of a block; one block is held out at least.
        """
        return pack(self.corpus, tokenizer, self.validation_share, cache, rules_of(recorded), context + 1)


def stream(seed: int, *names: str | int) -> int:
    """A seed for one use of randomness, derived from the run's seed; different names give independent seeds."""
    return int(digest([seed, *names], 15), 16)


def count_blocks(tokens: int, context: int) -> int:
    """Blocks of `context` predicted tokens in so many tokens; neighbouring blocks share one token."""
    return max(0, (tokens - 1) // context)


def steps_in_epoch(blocks: int, blocks_per_step: int, drop_last: bool = True) -> int:
    """Optimizer steps of one pass over the blocks; without `drop_last` an incomplete last step is completed."""
    return blocks // blocks_per_step if drop_last else -(-blocks // blocks_per_step)


def limited_steps(steps: int, batches_per_step: int, limit: float | None) -> int:
    """The whole steps of an epoch with a limit as in `BlockLoader`. Raises ValueError when none is left."""
    left = limited(steps * batches_per_step, limit)
    if left < batches_per_step:
        raise ValueError(
            f"trainer.limit_train_batches: must leave a step of {batches_per_step} batches, got {limit}, which leaves "
            f"{left} of {steps * batches_per_step}"
        )
    return left // batches_per_step


@dataclass(frozen=True)
class Origin:
    """Where the order of a run's blocks begins; a branch may begin it anew in the middle of a training.

    Args:
        seed: Random seed of the order and of the noise; None is the run's own.
        epoch: Number of the first pass over the text.
        step: Completed steps at which it begins.
    """

    seed: int | None = None
    epoch: int = 0
    step: int = 0

    def epoch_at(self, step: int, steps_per_epoch: int) -> int:
        """Completed passes over the text after `step` steps."""
        return self.epoch + (step - self.step) // steps_per_epoch


FROM_THE_START = Origin()


class BlockLoader:
    """Batches of blocks, int64 (block, context + 1), in a new random order every epoch.

    A batch has the form of its step (`stage_data.BatchForm`), which may cut blocks into shorter sequences.

    It counts the batches that were consumed, not those that workers have prepared; Lightning saves this count, so a
    resumed run goes on with the very next batch, with any number of workers. With several ranks each takes its part
    of the same order, so a step has the same blocks as on one device with a batch of their common size.

    Args:
        tokens: The training text, (token,); neighbouring blocks share one token.
        context: Predicted tokens of a block.
        batch_size: Blocks in a batch, on every rank.
        batches_per_step: Number of batches in an optimizer step, on every rank.
        seed: Random seed of the order.
        drop_last: As in `Text`.
        rank: Rank of this process.
        ranks: How many there are.
        workers: Processes that prepare batches.
        limit: Most batches of an epoch on every rank, or the share of them, as Lightning's `limit_train_batches`; None
            sets no limit. An epoch has whole steps, and each epoch reads other blocks.
        origin: Where the order begins; its seed is not used.
        form_at: Completed steps → the form of the batches of the next one; None leaves blocks as they are.
        vocabulary: Number of tokens from which noise is drawn.

    Raises:
        ValueError: the text does not fill one step, or the limit leaves none.
    """

    def __init__(
        self,
        tokens: np.ndarray,
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
        self.tokens, self.context, self.batch_size, self.seed = tokens, context, batch_size, seed
        self.rank, self.ranks, self.workers = rank, ranks, workers
        self.blocks = count_blocks(len(tokens), context)
        self.steps = steps_in_epoch(self.blocks, batch_size * batches_per_step * ranks, drop_last)
        if not self.steps:
            devices = f" × {ranks} devices" if ranks > 1 else ""
            raise ValueError(
                f"data: must fill a step of {batch_size} × {batches_per_step} blocks of {context} tokens{devices}, "
                f"got {len(tokens)} tokens ({self.blocks} blocks)"
            )
        self.steps = limited_steps(self.steps, batches_per_step, limit)
        self.length = self.steps * batches_per_step
        self.batches_per_step, self.origin, self.form_at, self.vocabulary = (
            batches_per_step,
            origin,
            form_at,
            vocabulary,
        )
        self.epoch, self.position = origin.epoch, 0
        self._known: tuple[int, np.ndarray] | None = None  # an epoch and its order

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> "Iterator[Tensor]":
        # a generator, so nothing runs before the first batch: Lightning calls iter() before it restores the state
        take, places = partial(self._batch, self.epoch), range(self.position, self.length)
        for batch in _made_ahead(take, places, self.workers) if self.workers else map(take, places):
            self.position += 1
            if self.position == self.length:  # the state saved after an epoch's last batch is the next one's start
                self.epoch, self.position = self.epoch + 1, 0
            yield batch

    def _batch(self, epoch: int, place: int) -> "Tensor":
        places = self.places(epoch, place)
        blocks = take_blocks(self.tokens, places, self.context)
        if self.form_at is None:
            return blocks
        form = self.form_at(self.step_of(epoch, place))
        # of the block and not of its place in the batch, so that it is the same on any number of devices
        seeds = [stream(self.seed, "noise", epoch, int(place)) for place in places] if form.noise else []
        return formed(blocks, form, seeds, self.vocabulary)

    def step_of(self, epoch: int, batch: int) -> int:
        """Completed steps when a batch is trained on."""
        return self.origin.step + (epoch - self.origin.epoch) * self.steps + batch // self.batches_per_step

    def places(self, epoch: int, batch: int) -> "np.ndarray[Any, Any]":
        """The blocks of a batch of this rank, as indices into the training text."""
        first = (batch * self.ranks + self.rank) * self.batch_size
        return self._order(epoch).take(range(first, first + self.batch_size), mode="wrap")

    def _order(self, epoch: int) -> "np.ndarray[Any, Any]":
        if self._known is None or self._known[0] != epoch:
            self._known = epoch, np.random.default_rng(stream(self.seed, "order", epoch)).permutation(self.blocks)
        return self._known[1]

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "position": self.position, **self._plan()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Raises ValueError when the state was saved with other data, since its position then means another batch."""
        for key, value in self._plan().items():
            if state[key] != value:
                raise ValueError(f"data: {key} was {state[key]} when the run was saved, got {value}")
        self.epoch, self.position = state["epoch"], state["position"]

    def _plan(self) -> dict[str, int]:
        return {"blocks": self.blocks, "length": self.length, "batch_size": self.batch_size, "seed": self.seed}


def _made_ahead(take: "Callable[[int], Tensor]", places: range, workers: int) -> "Iterator[Tensor]":
    """`take(place)` of each place in turn, prepared by `workers` processes, which end with the iterator."""
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[Tensor] = DataLoader(
        places,  # type: ignore[arg-type]  # a range has all that is asked for here
        batch_size=None,
        collate_fn=take,  # type: ignore[arg-type]  # of one place, not of several samples
        num_workers=workers,
        worker_init_fn=_deaf,
        generator=torch.Generator(),  # otherwise it would draw from the global one
    )
    return iter(loader)


def _deaf(_: int) -> None:
    """Workers ignore signals to the process group: the run decides, and workers end when it tells them or is gone."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def held_out_batches(tokens: np.ndarray, context: int, batch_size: int, batches: int) -> "list[Tensor]":
    """Batches for the eval loss, int64 (block, context + 1): evenly spread over the held-out tokens."""
    blocks = count_blocks(len(tokens), context)
    count = min(blocks, batch_size * batches)
    places = np.linspace(0, blocks - 1, count).round().astype(int) if count else np.array([], dtype=int)
    return [take_blocks(tokens, places[start : start + batch_size], context) for start in range(0, count, batch_size)]


def take_blocks(tokens: np.ndarray, places: "np.ndarray[Any, Any]", context: int) -> "Tensor":
    """The blocks at `places`, as int64 (block, context + 1)."""
    import torch

    rows = [tokens[place * context : place * context + context + 1] for place in places]
    return torch.from_numpy(np.stack(rows).astype(np.int64))
