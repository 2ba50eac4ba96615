"""An exponential moving average of the weights, kept beside the weights that are trained."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from transformers import PreTrainedModel

from tl_search.training.callbacks.neighbours import neighbours


class Ema(EMAWeightAveraging):
    """Lightning's moving average, updated once per optimizer step; it is part of the training state.

    A training state has the average under `state_dict` and the trained weights under `current_model_state`, where
    Lightning looks for them.

    Args:
        decay: Share of the average that each step keeps, in (0, 1).
    """

    def __init__(self, decay: float) -> None:
        # buffers are not averaged but copied: averaging equal numbers would change them by rounding errors, and those
        # that no state holds would be different after a resume
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

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the module is moved there only later, without the average
        super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Does nothing: Lightning's own would replace the trained weights by the average."""


def written_model(trainer: Trainer, module: Any, averaged: bool) -> PreTrainedModel:
    """The model whose weights revisions hold: the trained one, or its average."""
    ema = Ema.of(trainer) if averaged else None
    return (module if ema is None else ema.module).model
