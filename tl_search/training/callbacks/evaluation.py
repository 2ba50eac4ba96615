"""The loss on held-out text, at the steps that ask for it."""

import math
import sys
from collections.abc import Set
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from tl_search.training.callbacks.ema import Ema
from tl_search.training.callbacks.measurements import Measurements


class Evaluation(Callback):
    """Publishes `eval/loss` and `eval/perplexity` of the weights that revisions hold, on the same batches every time.

    Lightning's validation loop runs after the batch's callbacks, too late for the revision of the same step to know
    its eval loss, and counts batches where a schedule counts steps. Of several ranks the first measures for all.

    Args:
        batches: Held-out blocks; none measures nothing.
        due: Steps at which it is measured, 0 included or not.
        averaged: Whether revisions hold the average of the weights.
    """

    def __init__(self, batches: list[Tensor], due: Set[int], averaged: bool = False) -> None:
        self.batches, self.due, self.averaged = batches, due, averaged
        self.measured: tuple[int, float] | None = None  # (step, nats per token)

    def at(self, step: int) -> float | None:
        """The eval loss of this very step, where it was measured."""
        return self.measured[1] if self.measured and self.measured[0] == step else None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._measure_if_due(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._measure_if_due(trainer, pl_module)

    def _measure_if_due(self, trainer: Trainer, module: LightningModule) -> None:
        step = trainer.global_step
        if not self.batches or step not in self.due or self.at(step) is not None:
            return
        loss = trainer.strategy.broadcast(self._measure(trainer, module) if trainer.is_global_zero else math.nan)
        if not math.isfinite(loss):
            return  # no number to keep; the training loss says it too, and decides
        self.measured = (step, loss)
        Measurements.of(trainer).publish(trainer, {"eval/loss": loss, "eval/perplexity": perplexity(loss)})
        announced = any(getattr(callback, "announces", False) for callback in trainer.callbacks)  # type: ignore[attr-defined]
        if trainer.is_global_zero and not announced:
            print(block(step, loss), file=sys.stderr, flush=True)

    def _measure(self, trainer: Trainer, trained: LightningModule) -> float:
        ema = Ema.of(trainer) if self.averaged else None
        module: Any = trained if ema is None else ema.module
        module.eval()
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            losses = [module.held_out_loss(batch.to(trained.device)) * batch.shape[0] for batch in self.batches]
        module.train()
        return float(torch.stack(losses).sum()) / sum(batch.shape[0] for batch in self.batches)


def block(step: int, loss: float, verdict: str = "") -> str:
    """What the console says of an evaluation.

    Args:
        step: Completed steps.
        loss: Nats per token.
        verdict: How it compares with the best so far, as `new best, was 3.2` or `best so far 3.1 at step 400`.
    """
    lines = [f"Evaluation at step {step:,}", f"  eval loss        {loss:.4f}"]
    lines.append(f"  eval perplexity  {perplexity(loss):,.1f}")
    return "\n".join([*lines, f"  {verdict}"] if verdict else lines)


def perplexity(loss: float) -> float:
    """exp(loss), without overflow for a loss that no model has."""
    return math.exp(min(loss, 700.0))
