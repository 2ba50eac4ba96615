"""How one callback of a run finds another."""

from typing import Any, TypeVar

from lightning.pytorch import Trainer

T = TypeVar("T")


def neighbours(trainer: Trainer, kind: type[T]) -> list[T]:
    """The run's callbacks of a class, in the order in which they act."""
    callbacks: Any = trainer.callbacks  # type: ignore[attr-defined]  # a list, which Lightning does not declare
    return [callback for callback in callbacks if isinstance(callback, kind)]
