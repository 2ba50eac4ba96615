"""A probe's vectors of many batches, driven by Lightning's Trainer."""

import logging
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch.utils.data import DataLoader

from tl_search.probe.batching import Batch
from tl_search.probe.config import ProbeConfig
from tl_search.probe.quiet import quiet

log = logging.getLogger(__name__)

QUIET = 10.0  # seconds after which a long column says how far it is


class VectorWriter(BasePredictionWriter):
    """Puts each batch's vectors at their texts' places in one array (layer, text, width)."""

    def __init__(self, texts: int) -> None:
        super().__init__(write_interval="batch")
        self.texts = texts
        self.vectors: np.ndarray | None = None
        self._written, self._told = 0, time.monotonic()

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: torch.Tensor,
        batch_indices: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        if self.vectors is None:
            layers, _, width = prediction.shape
            self.vectors = np.empty((layers, self.texts, width), np.float32)
        places = batch.texts.cpu().numpy()
        self.vectors[:, places] = prediction.cpu().numpy()
        self._written += len(places)
        if time.monotonic() - self._told > QUIET:
            self._told = time.monotonic()
            log.info("embedded %d of %d texts", self._written, self.texts)


def predict(
    probe: LightningModule, batches: Callable[[bool], list[Batch]], texts: int, config: ProbeConfig
) -> np.ndarray:
    """The vectors (layer, text, width); `batches` is told whether the device is a CPU."""
    writer = VectorWriter(texts)
    with quiet():
        trainer = Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            precision="32-true",  # leaves the weights in the dtype that they were loaded in
            plugins=[LightningEnvironment()],  # inside a SLURM job too, whose signals are not for this Trainer
            callbacks=[writer],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        made: Any = batches(trainer.strategy.root_device.type == "cpu")
        loader: DataLoader[Batch] = DataLoader(made, batch_size=None)
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            trainer.predict(probe, loader, return_predictions=False)
        except SystemExit:  # what Lightning makes of Ctrl-C, after which it lets no second one through
            signal.signal(signal.SIGINT, on_interrupt)
            raise KeyboardInterrupt from None
    assert writer.vectors is not None
    return writer.vectors
