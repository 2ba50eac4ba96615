"""Saves the full training state, and ends a run in order when it is told to stop."""

import time
from functools import partial
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from tl_search.errors.kinds import DivergedError
from tl_search.runs.states import drop_states, save_state
from tl_search.training.callbacks.best_checkpoint import BestCheckpoint
from tl_search.training.callbacks.neighbours import neighbours
from tl_search.training.context import RunContext
from tl_search.training.diverging import story
from tl_search.training.interrupts import Stopped
from tl_search.training.ranks import agreed
from tl_search.training.retention import Checkpointing
from tl_search.training.revisions import check_finite

_STOP, _SAVE = 2, 1


class ResumeState(Checkpoint):
    """Saves everything that a run needs to go on: at regular steps, at every best evaluation and at the end.

    It acts after all callbacks that write or decide. So a saved state means that the step's revision has been written,
    and it contains what the other callbacks know of the step.
    """

    def __init__(self, checkpoint: Checkpointing, run: RunContext) -> None:
        self.checkpoint, self.run = checkpoint, run
        self.for_good = checkpoint.for_good(run.scheduled)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step, self.since = trainer.global_step, time.monotonic()
        self.bests = neighbours(trainer, BestCheckpoint)
        folder = self.run.paths.state(self.step)
        missing = any(self.step in best.kept for best in self.bests) and not folder.is_dir()  # if step 0 is a best
        if agreed(trainer, int(missing)):
            self._save(trainer, pl_module, self.step)
        elif trainer.is_global_zero:
            self._point()  # a kill may have come between state and pointer

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.run.saves.check()
        step = trainer.global_step
        if step == self.step:  # between the batches of a step: a state would lack the gradients so far
            return
        self.step = step
        # clocks and signals differ between ranks: if one rank has to save or to stop, all do
        wish = (
            _STOP
            if self.run.interrupts.received is not None
            else _SAVE
            if self._due(step) or trainer.should_stop
            else 0
        )
        wish = agreed(trainer, wish)
        if wish:
            self._save(trainer, pl_module, step)
        if wish == _STOP:
            raise Stopped

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.run.saves.drain()  # here, so that an error still reaches `on_exception`

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # the thread that saves notices weights that are not finite before FiniteLoss does, but does not know the batch
        if isinstance(exception, DivergedError) and exception.step and not exception.loss:
            loader: Any = trainer.train_dataloader
            what = f"the weights after step {exception.step} are not finite"
            exception.args = (story(trainer, what, *loader.last_batch(exception.step)),)

    def _due(self, step: int) -> bool:
        return (
            self.checkpoint.due(step, (time.monotonic() - self.since) / 60)
            or step == self.run.timeline.total
            or step in self.for_good
            or any(step in best.kept for best in self.bests)
        )

    def _save(self, trainer: Trainer, module: Any, step: int) -> None:
        saves, run = self.run.saves, self.run.folder
        facts = self.run.timeline.facts(step)
        facts |= {"for_good": True} if step in self.for_good else {}
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()  # a run that resumes from here does not log these values again
            saves.save(step, module.model.state_dict(), partial(check_finite, step))
        place = partial(save_state, run, step, facts, self.run.settings)
        trainer.save_checkpoint(self.run.paths.state(step), weights_only=False, storage_options=place)
        self.since = time.monotonic()
        if trainer.is_global_zero:
            self._point()
            # last: no state may be removed while a pointer still names it
            kept = {*self.for_good, *(step for best in self.bests for step in best.kept)}
            saves.submit(partial(drop_states, run, lambda states: self.checkpoint.doomed(states, kept)))

    def _point(self) -> None:
        for best in self.bests:
            best.point()
