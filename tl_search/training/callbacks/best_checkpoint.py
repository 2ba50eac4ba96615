"""The best evaluation of a run: its full state, and its model under `revisions/best`."""

import logging
import math
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from tl_search.errors.nearest import did_you_mean
from tl_search.runs.pointers import Named, Pointer
from tl_search.training.callbacks.best import Best, check_folder_name
from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.callbacks.ema import written_model
from tl_search.training.callbacks.evaluation import loss_words, say
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.context import RunContext
from tl_search.training.revisions import write_model

log = logging.getLogger(__name__)


class BestCheckpoint(EachBatch, Checkpoint):
    """Watches one measurement and keeps the model of its best value. `ResumeState` writes the full state.

    A better model is written to a folder of its own, unless its step has a revision. Then the link `revisions/NAME` is
    moved to it in one atomic step. So a run may be killed at any time: link and pointer lead to something whole.
    """

    def __init__(self, config: Best, entry: str, run: RunContext) -> None:
        self.config, self.entry, self.run = config, entry, run
        self.name = config.name or entry  # the callback's name, where the config gives none
        check_folder_name(self.name)
        self.seen = -1  # step of the latest measurement that was considered
        self.kept: dict[int, float] = {}  # step → value of the full states that are kept
        self.best: dict[str, Any] | None = None  # content of the pointer file, once it is written
        self.pointed: dict[str, Any] | None = None  # what this process has written there

    @property
    def state_key(self) -> str:
        return f"{type(self).__qualname__}[{self.name}]"

    @property
    def announces(self) -> bool:
        """Whether this callback prints the eval loss, together with its verdict."""
        return self.config.monitor == "eval/loss"

    @property
    def pointer(self) -> Path:
        return self.run.paths.pointer(self.name)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._drop_missing(trainer.is_global_zero)
        super().on_train_start(trainer, pl_module)

    def _drop_missing(self, first: bool) -> None:
        """Forget the best when its files are gone, as after the run was set back to an older state."""
        checkpoints, revisions = self.pointer.parent, self.run.paths.revisions
        self.kept = {step: value for step, value in self.kept.items() if (checkpoints / f"step{step}").is_dir()}
        if self.best is not None and (
            self.best["step"] not in self.kept or not (revisions / self.best["revision"]).is_dir()
        ):
            self.best, self.kept = None, {}
        if first and self.pointer.is_file() and not self._leads(checkpoints):
            self.pointer.unlink()
            if (revisions / self.name).is_symlink():
                (revisions / self.name).unlink()

    def _leads(self, checkpoints: Path) -> bool:
        """Whether the pointer on disk names a state that is there; a damaged one is told, and is written again."""
        try:
            return (checkpoints / Named.by(self.pointer)).is_dir()
        except ValueError as error:
            log.warning("%s", str(error).partition("; ")[0])
            return False

    def act(self, trainer: Trainer, module: Any) -> None:
        board, monitor = Measurements.of(trainer), self.config.monitor
        step, value = board.latest.get(monitor, (-1, math.nan))
        if step <= self.seen or step != trainer.global_step:
            return
        self.seen = step
        before = self.best
        if math.isfinite(value):
            self._consider(trainer, module, step, value)
        if trainer.is_global_zero:
            self._say(board, step, before)
        if self.best is not None:
            room, _, name = monitor.rpartition("/")
            best = "best_so_far" if name == "best" else f"best_{name}"
            board.publish(trainer, {f"{room}/{best}" if room else best: self.best["value"]})

    def _consider(self, trainer: Trainer, module: Any, step: int, value: float) -> None:
        config = self.config
        if self.best is None or config.better(value, self.best["value"]):
            revision = f"step{step}"
            if step not in self.run.scheduled:
                revision = f"{self.name}-step{step}"
                if trainer.is_global_zero:
                    model = written_model(trainer, module, self.run.averaged)
                    write_model(self.run, model, revision, step, Measurements.of(trainer).at("eval/loss", step))
            self.best = {
                "step": step,
                "monitor": config.monitor,
                "value": value,
                "name": f"step{step}",
                "revision": revision,
                "weights": "ema" if self.run.averaged else "raw",
            }
        elif len(self.kept) >= config.save_top_k and not config.better(value, self.kept[self._worst()]):
            return
        self.kept[step] = value
        while len(self.kept) > config.save_top_k:  # several, when save_top_k is lower than before the run was resumed
            del self.kept[self._worst(but=self.best["step"])]

    def _worst(self, but: int | None = None) -> int:
        """The kept step with the worst value, which is removed first; of equal values the newer one."""
        return max(
            (step for step in self.kept if step != but), key=lambda step: (self.config.rank(self.kept[step]), step)
        )

    def _say(self, board: Measurements, step: int, before: dict[str, Any] | None) -> None:
        if self.best is None:
            return
        old = before or self.best
        place = f"{old['value']:.4g} at step {old['step']:,}"
        if self.best is before:
            verdict = f"best so far {place}"
        else:
            verdict = "new best" if before is None else f"new best (was {place})"
        loss = board.at("eval/loss", step) if self.announces else None
        words = f"{self.config.monitor.replace('/', ' ')} {board.latest[self.config.monitor][1]:.4g}"
        say(step, words if loss is None else loss_words(loss), verdict)

    def point(self) -> None:
        """Make link and pointer lead to the best, after its state and model, which are being written.

        The first call does so whatever is on disk, since the process before may have been killed in the middle of it.
        """
        if self.best is not None and self.pointed != self.best:
            self.pointed = self.best
            self.run.saves.submit(partial(Pointer(self.name, **self.best).lead, self.run.folder))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known, monitor = Measurements.of(trainer).latest, self.config.monitor
        unmeasured = monitor.startswith("eval/") and "eval/loss" not in known  # since no text is held out
        if not trainer.is_global_zero or self.seen >= 0 or monitor in known or unmeasured:
            return
        warnings.warn(
            f"callbacks.{self.entry}.monitor: no measurement is named {monitor}, so no best checkpoint was kept"
            + did_you_mean(monitor, known)
            + (f" (measured: {', '.join(sorted(known))})" if known else ""),
            stacklevel=1,
        )

    def state_dict(self) -> dict[str, Any]:
        watched = {"monitor": self.config.monitor, "mode": self.config.mode.value}
        kept = [[step, value] for step, value in self.kept.items()]
        return {**watched, "seen": self.seen, "kept": kept, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Ignored when the state is of another measurement or mode: its values cannot be compared."""
        if (state_dict.get("monitor"), state_dict.get("mode")) != (self.config.monitor, self.config.mode.value):
            return
        self.seen, self.best = state_dict["seen"], state_dict["best"]
        self.kept = dict(state_dict["kept"])
