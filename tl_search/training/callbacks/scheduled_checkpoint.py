"""Writes a revision at every step of the schedule; together they are the plane's checkpoint axis."""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint

from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.callbacks.ema import written_model
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.context import RunContext
from tl_search.training.revisions import write_revision


class ScheduledCheckpoint(EachBatch, Checkpoint):
    """Writes a revision at every scheduled step, step 0 included, each once.

    It is a `Checkpoint`, which Lightning runs after all other callbacks.

    Args:
        run: The run.
        monitors: Measurements, beside the eval loss, that the index keeps of every revision.
    """

    def __init__(self, run: RunContext, monitors: Iterable[str] = ()) -> None:
        self.run, self.monitors = run, {*monitors} - {"eval/loss"}
        self.saved: int | None = None
        self.best: float | None = None  # the lowest eval loss so far

    def act(self, trainer: Trainer, module: Any) -> None:
        step, board = trainer.global_step, Measurements.of(trainer)
        loss = board.at("eval/loss", step)
        if loss is not None:
            self.best = loss if self.best is None else min(self.best, loss)
        if step in self.run.scheduled:
            self.write(trainer, module)

    def write(self, trainer: Trainer, module: Any) -> None:
        """Write the revision of this step, unless that is done."""
        step, board = trainer.global_step, Measurements.of(trainer)
        if step == self.saved:  # called once per batch, not per step
            return
        self.saved = step  # before writing, so that the training state of this step says that it is done
        if trainer.is_global_zero:
            model = written_model(trainer, module, self.run.averaged)
            found = {name: board.at(name, step) for name in sorted(self.monitors)}
            measured = {name: value for name, value in found.items() if value is not None}
            write_revision(self.run, model, step, board.at("eval/loss", step), self.best, measured)

    def state_dict(self) -> dict[str, Any]:
        return {"saved": self.saved, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.saved, self.best = state_dict["saved"], state_dict["best"]
