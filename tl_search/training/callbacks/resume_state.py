"""The rolling training state, and the orderly end of a run that is told to stop."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from tl_search.training.interrupts import Interrupts, Stopped
from tl_search.training.resume import save_state
from tl_search.training.revisions import RevisionWriter, check_finite


class ResumeState(Checkpoint):
    """Saves everything that training needs to go on, every `interval` steps and when the run is told to stop.

    It comes after the callback that writes revisions: a saved state means that the step's revision is there.

    Args:
        run: The run directory.
        interval: Steps between states; the last step always has one.
        total: The last step.
        writer: Knows the facts of a step.
        interrupts: Whether somebody asked the run to stop.
    """

    def __init__(self, run: Path, interval: int, total: int, writer: RevisionWriter, interrupts: Interrupts) -> None:
        self.run, self.interval, self.total = run, interval, total
        self.writer, self.interrupts = writer, interrupts

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step
        self.interrupts.listen()  # only now: Lightning has put up its own handlers, which end the run without saving

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self.step:  # in the middle of an accumulated step: half its gradients would be lost
            return
        self.step = step
        stop = self.interrupts.received
        if stop is not None or step % self.interval == 0 or step == self.total:
            self._save(trainer, pl_module, step)
        if stop is not None:
            raise Stopped

    def _save(self, trainer: Trainer, module: Any, step: int) -> None:
        check_finite(module.model, step)
        facts = self.writer.facts(step, module.curriculum.stage_at(step).name)
        save_state(self.run, step, facts, lambda path: trainer.save_checkpoint(path, weights_only=False))
