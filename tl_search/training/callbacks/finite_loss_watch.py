"""The watch that `FiniteLoss` asks for."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tl_search.store.atomic import read_json
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
            raise DivergedError(self._story(trainer, int(self.batch)))

    def _story(self, trainer: Trainer, number: int) -> str:
        """Which step, which text, and from where one could try again."""
        epoch, batch = divmod(number, int(trainer.num_training_batches))
        loader = trainer.datamodule.loader  # type: ignore[attr-defined]
        blocks = ", ".join(str(place) for place in loader.places(epoch, batch))
        trainer.strategy.checkpoint_io.saves.drain()  # type: ignore[attr-defined]  # the last one may be on its way
        last = Path(trainer.default_root_dir, "checkpoints", "last.json")
        good = f"the last good checkpoint is {last.parent / read_json(last)['name']}" if last.exists() else (
            "no checkpoint was written before"
        )  # fmt: skip
        step = number // trainer.accumulate_grad_batches + 1
        return (
            f"training diverged: the loss was not finite {self.patience} batches in a row, at step {step} "
            f"(epoch {epoch}, batch {batch}: blocks {blocks}); {good}; "
            "a lower learning rate or a longer warm-up helps most often"
        )
