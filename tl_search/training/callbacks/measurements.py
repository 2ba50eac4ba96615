"""The latest value of everything that is measured now and then during a run."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.training.callbacks.neighbours import neighbours


class Measurements(Callback):
    """The latest value of every measurement, with its step; part of the training state.

    One callback publishes a value, others read it. Values also go to the loggers, and to `trainer.callback_metrics`,
    where Lightning's own callbacks look for what they monitor.
    """

    def __init__(self) -> None:
        self.latest: dict[str, tuple[int, float]] = {}

    @classmethod
    def of(cls, trainer: Trainer) -> "Measurements":
        """The measurements of a run. Raises ValueError when its Trainer has no such callback."""
        for board in neighbours(trainer, cls):
            return board
        raise ValueError("callbacks: must hold Measurements, on which measurements are published")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.callback_metrics.update({name: torch.tensor(value) for name, (_, value) in self.latest.items()})

    def publish(self, trainer: Trainer, values: Mapping[str, float], step: int | None = None) -> None:
        """Keep and log values that were measured at a step, by default the present one. Ignores what is not finite."""
        at = trainer.global_step if step is None else step
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self.latest |= {name: (at, value) for name, value in finite.items()}
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in finite.items()})
        for logger in trainer.loggers:
            logger.log_metrics(finite, step=at)

    def at(self, name: str, step: int) -> float | None:
        """The value that was measured at exactly this step; None where there is none."""
        found = self.latest.get(name)
        return found[1] if found is not None and found[0] == step else None

    def state_dict(self) -> dict[str, Any]:
        return {"latest": {name: list(found) for name, found in self.latest.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.latest = {name: (step, value) for name, (step, value) in state_dict["latest"].items()}
