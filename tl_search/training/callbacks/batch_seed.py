"""Makes random numbers, such as dropout's, depend only on seed, epoch and batch, so that no generator is saved."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.training.ordered import stream


class BatchSeed(Callback):
    """Seeds torch before every batch, from (seed, epoch, batch) and, with several devices, the rank."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        rank = (trainer.global_rank,) if trainer.global_rank else ()
        torch.manual_seed(stream(self.seed, "batch", trainer.current_epoch, batch_idx, *rank))
