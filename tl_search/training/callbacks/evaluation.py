"""The eval loss: the loss on held-out text, at given steps."""

import math
import sys
from collections.abc import Iterator, Sequence, Set, Sized
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tl_search.errors.printable import printable
from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.callbacks.ema import Ema
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.callbacks.neighbours import neighbours


class Evaluation(EachBatch):
    """Publishes `eval/loss` (nats per token) and `eval/perplexity`, on the same batches every time.

    It is not Lightning's validation loop, which counts batches instead of steps and runs after the callbacks of a
    batch: the revision of the same step would be written before its eval loss is known. With several ranks the first
    one measures for all.

    Args:
        batches: Held-out batches, as the task has them; without any, nothing is measured.
    """

    def __init__(self, batches: list[Any], due: Set[int], averaged: bool = False) -> None:
        self.batches, self.due, self.averaged = batches, due, averaged

    def act(self, trainer: Trainer, module: LightningModule) -> None:
        step, board = trainer.global_step, Measurements.of(trainer)
        # the board is part of the training state: what was measured before the run was stopped is not logged twice
        if not self.batches or step not in self.due or board.at("eval/loss", step) is not None:
            return
        loss = trainer.strategy.broadcast(self._measure(trainer, module) if trainer.is_global_zero else math.nan)
        if not math.isfinite(loss):
            return  # nothing to publish; whether the run has diverged is decided by the training loss
        board.publish(trainer, {"eval/loss": loss, "eval/perplexity": perplexity(loss)})
        announced = any(getattr(callback, "announces", False) for callback in neighbours(trainer, Callback))
        if trainer.is_global_zero and not announced:  # otherwise BestCheckpoint prints it
            say(step, loss_words(loss))

    def _measure(self, trainer: Trainer, trained: LightningModule) -> float:
        with measuring(trainer, trained, self.averaged) as module:
            losses = [module.held_out_loss(batch.to(trained.device)) for batch in self.batches]
        return mean_loss(losses, self.batches)


@contextmanager
def measuring(trainer: Trainer, trained: LightningModule, averaged: bool) -> Iterator[Any]:
    """Within the block, the module whose weights are measured: the trained one, or its average; without gradients."""
    ema = Ema.of(trainer) if averaged else None
    module: Any = trained if ema is None else ema.module
    module.eval()
    with torch.no_grad(), trainer.precision_plugin.val_step_context():
        yield module
    module.train()


def mean_loss(losses: Sequence[Tensor], batches: Sequence[Sized]) -> float:
    """The mean over all items of batches, of each batch's mean."""
    sums = [loss * len(batch) for loss, batch in zip(losses, batches, strict=True)]
    return float(torch.stack(sums).sum()) / sum(map(len, batches))


def say(step: int, *words: str) -> None:
    """Print what was measured at a step, as one line on stderr."""
    print(printable(" · ".join([f"step {step:,}", *words])), file=sys.stderr, flush=True)


def loss_words(loss: float) -> str:
    """An eval loss, in nats per token, in words."""
    return f"eval loss {loss:.4f} · perplexity {perplexity(loss):,.1f}"


def perplexity(loss: float) -> float:
    """exp(loss) of a loss in nats; very large losses are cut off at 700, so that there is no overflow."""
    return math.exp(min(loss, 700.0))
