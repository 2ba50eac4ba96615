"""The loss on held-out text, at the steps that ask for it."""

import math
from collections.abc import Set
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class Evaluation(Callback):
    """Measures the eval loss on the same batches every time.

    Lightning's validation loop runs after the batch's callbacks, too late for the revision of the same step to know
    its eval loss, and counts batches where a schedule counts steps.

    Args:
        batches: Held-out blocks; none measures nothing.
        due: Steps at which it is measured, 0 included or not.
    """

    def __init__(self, batches: list[Tensor], due: Set[int]) -> None:
        self.batches, self.due = batches, due
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

    def _measure_if_due(self, trainer: Trainer, module: Any) -> None:
        step = trainer.global_step
        if not self.batches or step not in self.due or self.at(step) is not None:
            return
        module.eval()
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            losses = [module.held_out_loss(batch.to(module.device)) * batch.shape[0] for batch in self.batches]
        module.train()
        loss = float(torch.stack(losses).sum()) / sum(batch.shape[0] for batch in self.batches)
        if not math.isfinite(loss):
            return  # no number to keep; the training loss says it too, and decides
        self.measured = (step, loss)
        for logger in trainer.loggers:
            logger.log_metrics({"eval/loss": loss, "eval/perplexity": perplexity(loss)}, step=step)


def perplexity(loss: float) -> float:
    """exp(loss), without overflow for a loss that no model has."""
    return math.exp(min(loss, 700.0))
