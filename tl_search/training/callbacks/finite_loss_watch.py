"""The callback that `FiniteLoss` configures."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tl_search.errors.kinds import DivergedError
from tl_search.training.diverging import story

_READ_EVERY = 16  # batches; reading a number makes the host wait for an accelerator


class FiniteLossWatch(Callback):
    """Counts losses that are not finite, on the device, and raises DivergedError at `patience` in a row."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.row: Tensor | None = None
        self.longest: Tensor | None = None
        self.batch: Tensor | None = None  # the number of the batch that completed the longest row

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"]
        if self.row is None or self.longest is None or self.batch is None:
            self.row = self.longest = self.batch = torch.zeros((), dtype=torch.int32, device=loss.device)
        self.row = torch.where(torch.isfinite(loss), 0, self.row + 1)
        epoch_batch = batch_idx + trainer.current_epoch * int(trainer.num_training_batches)
        self.batch = torch.where(self.longest < self.patience, epoch_batch, self.batch)
        self.longest = torch.maximum(self.longest, self.row)
        if (loss.device.type == "cpu" or batch_idx % _READ_EVERY == 0) and int(self.longest) >= self.patience:
            epoch, number = divmod(int(self.batch), int(trainer.num_training_batches))
            loader: Any = trainer.train_dataloader  # which knows the step of a batch, also in a branch that reads anew
            step = loader.step_of(epoch, number) + 1
            row = f" {self.patience} batches in a row" if self.patience > 1 else ""
            what = f"the loss was not finite{row}, at step {step}"
            raise DivergedError(story(trainer, what, epoch, number), step, loss=True)
