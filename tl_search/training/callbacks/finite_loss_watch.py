"""The watch that `FiniteLoss` asks for."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tl_search.training.revisions import DivergedError

_READ_EVERY = 16  # batches; reading a number makes the host wait for an accelerator


class FiniteLossWatch(Callback):
    """Counts bad losses on the device and raises DivergedError at `patience` in a row.

    Args:
        patience: Batches in a row that are too many.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.row: Tensor | None = None
        self.longest: Tensor | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"]
        if self.row is None or self.longest is None:
            self.row = self.longest = torch.zeros((), dtype=torch.int32, device=loss.device)
        self.row = torch.where(torch.isfinite(loss), 0, self.row + 1)
        self.longest = torch.maximum(self.longest, self.row)
        if (loss.device.type == "cpu" or batch_idx % _READ_EVERY == 0) and int(self.longest) >= self.patience:
            raise DivergedError(
                f"training diverged: the loss was not finite {int(self.longest)} batches in a row, at step "
                f"{trainer.global_step}; a lower learning rate or a longer warm-up helps most often"
            )
