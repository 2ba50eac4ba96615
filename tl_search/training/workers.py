"""Batches that other processes make ahead of need."""

import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class _Batches:
    """What torch's DataLoader asks for batches."""

    def __init__(self, take: "Callable[[int], Tensor]") -> None:
        self.take = take

    def __getitem__(self, place: int) -> "Tensor":
        return self.take(place)


def made_ahead(take: "Callable[[int], Tensor]", places: range, workers: int) -> "Iterator[Tensor]":
    """`take(place)` of each place in turn, made by `workers` processes; they end with the iterator."""
    import torch
    from torch.utils.data import DataLoader

    return iter(
        DataLoader(
            _Batches(take),  # type: ignore[arg-type]  # asked for nothing that a Dataset has besides
            batch_size=None,
            sampler=places,
            num_workers=workers,
            worker_init_fn=_deaf,
            generator=torch.Generator(),  # else it draws from the training's own
        )
    )


def _deaf(_: int) -> None:
    """A signal to the whole process group is the run's to decide over; a worker ends when it is told, or left alone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
