"""Batches that other processes prepare in advance."""

import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tl_search.training.interrupts import SIGNALS

if TYPE_CHECKING:
    from torch import Tensor


class _Batches:
    """The dataset from which torch's DataLoader takes batches."""

    def __init__(self, take: "Callable[[int], Tensor]") -> None:
        self.take = take

    def __getitem__(self, place: int) -> "Tensor":
        return self.take(place)


def made_ahead(take: "Callable[[int], Tensor]", places: range, workers: int) -> "Iterator[Tensor]":
    """`take(place)` of each place in turn, prepared by `workers` processes, which end with the iterator."""
    import torch
    from torch.utils.data import DataLoader

    return iter(
        DataLoader(
            _Batches(take),  # type: ignore[arg-type]  # it has all that is asked for here
            batch_size=None,
            sampler=places,
            num_workers=workers,
            worker_init_fn=_deaf,
            generator=torch.Generator(),  # otherwise it would draw from the global one
        )
    )


def _deaf(_: int) -> None:
    """Workers ignore signals to the process group: the run decides, and workers end when it tells them or is gone."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
