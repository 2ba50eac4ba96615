"""Batches of numbered items in an order that depends on the seed, the epoch and the batch's number alone."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tl_search.plane.mixed import Mixed
from tl_search.store.keys import digest
from tl_search.training.interrupts import SIGNALS
from tl_search.training.limits import limited


def stream(seed: int, *names: str | int) -> int:
    """A seed for one use of randomness, derived from the run's seed; different names give independent seeds."""
    return int(digest([seed, *names], 15), 16)


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
        mixed: Of a branch that goes on in its parent's order: what was read of each source before the branch.
    """

    seed: int | None = None
    epoch: int = 0
    step: int = 0
    mixed: tuple[Mixed, ...] = ()

    def epoch_at(self, step: int, steps_per_epoch: int) -> int:
        """Completed passes over the text after `step` steps."""
        return self.epoch + (step - self.step) // steps_per_epoch


FROM_THE_START = Origin()


class OrderedLoader(ABC):
    """Batches of numbered items, in a new random order every epoch. What a batch is made of, a subclass says.

    It counts the batches that were consumed, not those that workers have prepared; Lightning saves this count, so a
    resumed run goes on with the very next batch, with any number of workers. With several ranks each takes its part
    of the same order, so a step has the same items as on one device with a batch of their common size.

    Args:
        count: Number of items in an epoch.
        items: What they are, such as `blocks of 16 tokens`, and `got`, what there is of them, for messages.
        batch_size: Items in a batch, on every rank.
        batches_per_step: Number of batches in an optimizer step, on every rank.
        seed: Random seed of the order.
        drop_last: As in `Text`.
        rank: Rank of this process.
        ranks: How many there are.
        workers: Processes that prepare batches.
        limit: Most batches of an epoch on every rank, or the share of them, as Lightning's `limit_train_batches`; None
            sets no limit. An epoch has whole steps, and each epoch reads other items.
        origin: Where the order begins; its seed is not used.

    Raises:
        ValueError: the items do not fill one step, or the limit leaves none.
    """

    def __init__(
        self,
        count: int,
        items: str,
        got: str,
        batch_size: int,
        batches_per_step: int,
        seed: int,
        drop_last: bool,
        rank: int,
        ranks: int,
        workers: int,
        limit: float | None,
        origin: Origin,
    ) -> None:
        self.blocks, self.batch_size, self.seed = count, batch_size, seed
        self.rank, self.ranks, self.workers = rank, ranks, workers
        self.steps = steps_in_epoch(count, batch_size * batches_per_step * ranks, drop_last)
        if not self.steps:
            devices = f" × {ranks} devices" if ranks > 1 else ""
            raise ValueError(f"data: must fill a step of {batch_size} × {batches_per_step} {items}{devices}, got {got}")
        self.steps = limited_steps(self.steps, batches_per_step, limit)
        self.length = self.steps * batches_per_step
        self.batches_per_step, self.origin = batches_per_step, origin
        self.epoch, self.position = origin.epoch, 0
        self._known: tuple[int, np.ndarray] | None = None  # an epoch and its order

    @abstractmethod
    def make(self, epoch: int, batch: int) -> Any:
        """A batch, which is a function of the seed and of these two numbers alone."""

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        # a generator, so nothing runs before the first batch: Lightning calls iter() before it restores the state
        take, places = partial(self.make, self.epoch), range(self.position, self.length)
        for batch in _made_ahead(take, places, self.workers) if self.workers else map(take, places):
            self.position += 1
            if self.position == self.length:  # the state saved after an epoch's last batch is the next one's start
                self.epoch, self.position = self.epoch + 1, 0
            yield batch

    def step_of(self, epoch: int, batch: int) -> int:
        """Completed steps when a batch is trained on."""
        return self.origin.step + (epoch - self.origin.epoch) * self.steps + batch // self.batches_per_step

    def last_batch(self, step: int) -> tuple[int, int]:
        """(epoch, number of the batch in it) of the last batch that was trained on when `step` steps are completed."""
        epochs, batch = divmod((step - self.origin.step) * self.batches_per_step - 1, self.length)
        return self.origin.epoch + epochs, batch

    def places(self, epoch: int, batch: int) -> "np.ndarray[Any, Any]":
        """The items of a batch of this rank, by their numbers."""
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


def _made_ahead(take: Callable[[int], Any], places: range, workers: int) -> Iterator[Any]:
    """`take(place)` of each place in turn, prepared by `workers` processes, which end with the iterator."""
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
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
