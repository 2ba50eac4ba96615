"""An exponential moving average of the weights, beside the weights that are trained."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from transformers import PreTrainedModel

from tl_search.training.callbacks.neighbours import neighbours


class Ema(EMAWeightAveraging):
    """Lightning's average, updated once per optimizer step; part of what resumes.

    A training state holds the average under `state_dict` and the trained weights under `current_model_state`, which
    is where Lightning restores both from.

    Args:
        decay: Share of the old average that a step keeps, in (0, 1).
    """

    def __init__(self, decay: float) -> None:
        # buffers are copied: an average of equal numbers drifts, and those that are not saved would resume otherwise
        super().__init__(decay=decay, use_buffers=False)

    @classmethod
    def of(cls, trainer: Trainer) -> "Ema | None":
        """The average of a run, if it keeps one."""
        return next(iter(neighbours(trainer, cls)), None)

    @property
    def module(self) -> Any:
        """The training module with averaged weights; it is there from `setup` on."""
        assert self._average_model is not None
        return self._average_model.module

    @property
    def average(self) -> PreTrainedModel:
        """The averaged transformers model."""
        return self.module.model

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the module comes there only later, and would leave it behind
        super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: the model stays what was trained. Lightning's would make it the average."""


def written_model(trainer: Trainer, module: Any, averaged: bool) -> PreTrainedModel:
    """The model whose weights revisions hold: the trained one, or its average."""
    ema = Ema.of(trainer) if averaged else None
    return module.model if ema is None else ema.average
