"""The axis of the plane that training writes: a revision at every step of a schedule."""

from collections.abc import Callable, Iterable
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from tl_search.training.revisions import RevisionWriter


class ScheduledCheckpoint(Checkpoint):
    """Writes a revision at every scheduled step, step 0 included, each once.

    It is a `Checkpoint`, which Lightning runs after all other callbacks.

    Args:
        steps: The schedule's.
        writer: Of the run's revisions.
        eval_loss_at: Step → eval loss, where it was measured.
    """

    def __init__(
        self, steps: Iterable[int], writer: RevisionWriter, eval_loss_at: Callable[[int], float | None]
    ) -> None:
        self.due, self.writer, self.eval_loss_at = frozenset(steps), writer, eval_loss_at
        self.saved: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # not on_fit_start: a resumed run's step is known only here
        self._write_if_due(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._write_if_due(trainer, pl_module)

    def _write_if_due(self, trainer: Trainer, module: Any) -> None:
        step = trainer.global_step
        if step == self.saved or step not in self.due:  # the hook fires once per batch, not per step
            return
        self.saved = step  # first, or the training state saved at this step would say that it is still to do
        self.writer.write(module.model, step, module.curriculum.stage_at(step).name, self.eval_loss_at(step))

    def state_dict(self) -> dict[str, Any]:
        return {"saved": self.saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.saved = state_dict["saved"]
