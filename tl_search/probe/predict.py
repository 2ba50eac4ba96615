"""A probe's vectors of many batches, driven by Lightning's Trainer."""

import logging
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.plugins.environments import LightningEnvironment
from torch.utils.data import DataLoader

from tl_search.probe.batching import Batch, Batches
from tl_search.probe.config import ProbeConfig
from tl_search.probe.quiet import quiet

log = logging.getLogger(__name__)

QUIET = 10.0  # seconds after which a long column says how far it is


class VectorWriter(BasePredictionWriter):
    """Puts each batch's vectors at their texts' places.

    A GPU's vectors are on their way while the next batch is computed, and are written then: a copy into pinned memory
    and an event behind it make the host wait for nothing else.

    Args:
        column: Each layer's vectors (text, width), to be written.
        heed: Called after each batch; what it raises ends the pass.
    """

    def __init__(self, column: Sequence[np.ndarray], heed: Callable[[], None]) -> None:
        super().__init__(write_interval="batch")
        self.column, self.heed = column, heed
        self.texts = self.written = 0  # how many are to come, and how many have
        self.where = ""
        self._told = time.monotonic()
        self._coming: tuple[torch.Tensor, torch.Tensor, torch.cuda.Event | None] | None = None

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
        before, arrived = self._coming, None
        places, vectors = (part.to("cpu", non_blocking=part.is_cuda) for part in (batch.texts, prediction))
        if prediction.is_cuda:
            arrived = torch.cuda.Event()
            arrived.record(torch.cuda.current_stream(prediction.device))
        self._coming = places, vectors, arrived
        if before is not None:
            self._write(*before)
        if arrived is None:
            self._finish()
        self.heed()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._finish()

    def _finish(self) -> None:
        if self._coming is not None:
            self._write(*self._coming)
            self._coming = None

    def _write(self, places: torch.Tensor, vectors: torch.Tensor, arrived: torch.cuda.Event | None) -> None:
        if arrived is not None:
            arrived.synchronize()
        for room, layer in zip(self.column, vectors.numpy(), strict=True):
            room[places.numpy()] = layer
        self.written += len(places)
        if time.monotonic() - self._told > QUIET:
            self._told = time.monotonic()
            log.info("embedded %d of %d texts%s", self.written, self.texts, self.where)


def predict(
    probe: LightningModule,
    batches: Callable[[bool], Batches],
    column: Sequence[np.ndarray],
    config: ProbeConfig,
    rank: int = 0,
    heed: Callable[[], None] = lambda: None,
) -> int:
    """Write one device's share of the texts into the column; returns how many they are.

    Which texts share a batch does not depend on the number of devices: each takes every so manieth batch.

    Args:
        probe: Its `predict_step` gives vectors (layer, text, width).
        batches: Gives those of all texts; is told whether the device is a CPU.
        column: Each layer's vectors (text, width).
        config: Which devices.
        rank: Of this one among them.
        heed: Called after each batch; what it raises ends the pass.
    """
    writer = VectorWriter(column, heed)
    with quiet():
        trainer = Trainer(
            accelerator=config.accelerator,
            devices=[rank] if rank and torch.cuda.is_available() and config.accelerator != "cpu" else 1,
            precision="32-true",  # leaves the weights in the dtype that they were loaded in
            plugins=[LightningEnvironment()],  # inside a SLURM job too, whose signals are not for this Trainer
            callbacks=[writer],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        every = batches(trainer.strategy.root_device.type == "cpu")
        share: Any = range(rank, len(every), config.devices)
        if not share:
            return 0
        writer.where = f" on the first of {config.devices} devices" if config.devices > 1 else ""
        writer.texts = sum(len(every.shares[number]) for number in share)
        on_interrupt = signal.getsignal(signal.SIGINT)
        try:
            trainer.predict(probe, DataLoader(every, batch_size=None, sampler=share), return_predictions=False)
        except SystemExit as error:
            if not isinstance(error.__context__, KeyboardInterrupt):
                raise
            # Lightning made an exit of Ctrl-C (or of what SIGTERM raises), and lets no second one through
            signal.signal(signal.SIGINT, on_interrupt)
            raise error.__context__ from None
    return writer.written
