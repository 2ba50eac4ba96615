"""Many batches through a probe: Lightning's Trainer calls `predict_step`, and a callback writes what it returns.

`Probe.predict_step` returns the vectors (layer, text, width) of one batch, in fp32, on the probe's device.
`VectorWriter` copies them to the host and puts `vectors[i][j]` at row `batch.texts[j]` of the array of the i-th wanted
layer; a prediction is not kept otherwise. When all batches are through, `embed.py` looks for faults in the arrays.
"""

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

from tl_search.errors.stopping import check
from tl_search.probe.batching import Batch, Batches
from tl_search.probe.config import ProbeConfig
from tl_search.probe.quiet import quiet

log = logging.getLogger(__name__)

QUIET = 10.0  # seconds after which a long column says how far it is


class VectorWriter(BasePredictionWriter):
    """Writes the vectors of each batch into the rows of its texts.

    Vectors of a GPU are copied to the host while the next batch is computed, and written after it: the copy goes into
    pinned memory, and the host waits only for an event that is recorded behind it.
    """

    def __init__(self, column: Sequence[np.ndarray], after_batch: Callable[[], None]) -> None:
        super().__init__(write_interval="batch")
        self.column, self.after_batch = column, after_batch
        self.texts = self.written = 0  # how many this device embeds in all, and has embedded so far
        self.where = ""  # ends the line that tells the progress
        self._told = time.monotonic()
        self._coming: tuple[torch.Tensor, torch.Tensor, torch.cuda.Event | None] | None = None

    def write_on_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, prediction: torch.Tensor, _: Any, batch: Batch, *__: Any
    ) -> None:
        """Take the prediction (layer, text, width) of a batch; Lightning calls this after each `predict_step`."""
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
        self.after_batch()
        check()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._finish()

    def _finish(self) -> None:
        if self._coming is not None:
            self._write(*self._coming)
            self._coming = None

    def _write(self, places: torch.Tensor, vectors: torch.Tensor, arrived: torch.cuda.Event | None) -> None:
        if arrived is not None:
            arrived.synchronize()
        for rows, layer in zip(self.column, vectors.numpy(), strict=True):
            rows[places.numpy()] = layer
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
    after_batch: Callable[[], None] = lambda: None,
) -> int:
    """Write one device's share of the texts into the column.

    Which texts share a batch does not depend on the number of devices: of N devices, each takes every N-th batch.

    Args:
        probe: Its `predict_step` gives vectors (layer, text, width).
        batches: Gives the batches of all texts; its argument says whether the device is a CPU.
        column: The vectors (text, width) of each wanted layer, to be written.
        config: Which devices.
        rank: The number of this device, from 0.
        after_batch: What it raises ends the pass.

    Returns:
        How many texts were written.

    Raises:
        ValueError: a text, or the model, does not fit into the device's memory.
    """
    writer = VectorWriter(column, after_batch)
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
            # Lightning turned Ctrl-C (or what SIGTERM raises) into an exit, and would ignore a second Ctrl-C
            signal.signal(signal.SIGINT, on_interrupt)
            raise error.__context__ from None
    return writer.written
