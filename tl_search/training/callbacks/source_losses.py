"""The eval loss on each source of a text by itself."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.callbacks.evaluation import mean_loss, measuring, say
from tl_search.training.callbacks.measurements import Measurements


class SourceLosses(EachBatch):
    """Publishes `eval/SOURCE/loss`, in nats per token, of every source of a text that has several.

    The eval loss of all of them together does not tell what a mix does to each.

    Args:
        sources: Name → held-out batches, the same at every step.
        due: Steps at which it is measured.
        averaged: Whether the average of the weights is measured.
    """

    def __init__(self, sources: Mapping[str, Sequence[Any]], due: Set[int], averaged: bool) -> None:
        self.sources, self.due, self.averaged = sources, due, averaged

    def act(self, trainer: Trainer, module: LightningModule) -> None:
        step, board = trainer.global_step, Measurements.of(trainer)
        # what was measured before the run was stopped is not logged twice
        left = [name for name in self.sources if board.at(f"eval/{name}/loss", step) is None]
        if step not in self.due or not left:
            return
        found = self._measured(trainer, module, left) if trainer.is_global_zero else {}
        measured = trainer.strategy.broadcast(found)
        found = {name: loss for name, loss in measured.items() if math.isfinite(loss)}  # as `Evaluation` has it
        board.publish(trainer, {f"eval/{name}/loss": loss for name, loss in found.items()})
        if trainer.is_global_zero and found:
            say(step, "eval loss of " + ", of ".join(f"{name} {loss:.4f}" for name, loss in found.items()))

    def _measured(self, trainer: Trainer, trained: LightningModule, names: Sequence[str]) -> dict[str, float]:
        with measuring(trainer, trained, self.averaged) as module:
            losses = {
                name: [module.held_out_loss(batch.to(trained.device)) for batch in self.sources[name]] for name in names
            }
        return {name: mean_loss(found, self.sources[name]) for name, found in losses.items()}
