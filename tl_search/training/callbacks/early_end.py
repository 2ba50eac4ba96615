"""Early stopping: it looks at each new value of its measurement, and the step where it ends a run has a revision."""

import warnings
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from tl_search.errors.nearest import did_you_mean
from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.callbacks.neighbours import neighbours
from tl_search.training.callbacks.scheduled_checkpoint import ScheduledCheckpoint


class EarlyEnd(EachBatch, Checkpoint):
    """Calls every EarlyStopping of the run once for each new value of its monitor.

    Lightning calls it at the end of an epoch or of a validation. But a run may end within its first epoch, and measures
    without Lightning's validation. What is measured at step 0 is not looked at: nothing is trained yet.
    """

    def __init__(self, scheduled: ScheduledCheckpoint) -> None:
        self.scheduled = scheduled
        self.seen: dict[str, int] = {}  # key of an EarlyStopping → step of the latest value that it was shown
        self.ended: tuple[int, int] | None = None  # the step at which it ended the run, and the run's last step then

    @classmethod
    def step_of(cls, trainer: Trainer) -> int | None:
        """The step at which early stopping has ended the run; None where it has not."""
        return next((found.ended[0] for found in neighbours(trainer, cls) if found.ended is not None), None)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for stopping in neighbours(trainer, EarlyStopping):
            stopping._check_on_train_epoch_end = False  # otherwise it would look once more at the same value

    def act(self, trainer: Trainer, module: Any) -> None:
        step, latest = trainer.global_step, Measurements.of(trainer).latest
        if self.ended not in (None, (step, trainer.max_steps)):
            self.ended = None  # the run has been made longer, or set back
        if self.ended is None:
            for stopping in neighbours(trainer, EarlyStopping):
                self._show(trainer, module, stopping, latest.get(stopping.monitor, (0, 0.0))[0])
        if self.ended is not None:
            trainer.should_stop = True  # also when the process was killed before it could end the run
            self.scheduled.write(trainer, module)

    def _show(self, trainer: Trainer, module: Any, stopping: EarlyStopping, measured: int) -> None:
        if measured <= self.seen.get(stopping.state_key, 0):
            return
        self.seen[stopping.state_key] = measured
        before, trainer.should_stop = trainer.should_stop, False
        stopping.on_validation_end(trainer, module)
        if trainer.should_stop:
            self.ended = (trainer.global_step, trainer.max_steps)
        trainer.should_stop |= before

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known = Measurements.of(trainer).latest
        for stopping in neighbours(trainer, EarlyStopping):
            if stopping.state_key not in self.seen and trainer.is_global_zero:
                warnings.warn(
                    f"callbacks: no measurement after step 0 is named {stopping.monitor}, so early stopping never acted"
                    + did_you_mean(stopping.monitor, known.keys() - {stopping.monitor}),
                    stacklevel=1,
                )

    def state_dict(self) -> dict[str, Any]:
        return {"seen": dict(self.seen), "ended": None if self.ended is None else list(self.ended)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = dict(state_dict["seen"])
        self.ended = None if state_dict["ended"] is None else tuple(state_dict["ended"])
