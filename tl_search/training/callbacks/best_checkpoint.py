"""The best evaluation of a run: its full state, and its model under `revisions/best`."""

import math
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from tl_search.store.atomic import ASIDE, read_json, sync_folder, write_json
from tl_search.store.manifest import verify
from tl_search.training.callbacks.best import Best, check_name
from tl_search.training.callbacks.ema import written_model
from tl_search.training.callbacks.evaluation import block
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.revisions import RevisionWriter


class BestCheckpoint(Checkpoint):
    """Watches one measurement. The state itself is written by `ResumeState`, once all callbacks know of the step.

    A better model is written to a folder of its own (a scheduled step has one already); `revisions/NAME` is a link,
    and moves to it in one step. So whenever the run is killed, link and pointer lead to something whole.

    Args:
        config: What is watched, and what counts as better.
        entry: The callback's name, if the config gives none.
        writer: Of the run's revisions.
        averaged: Whether it is the averaged weights that are written.
    """

    def __init__(self, config: Best, entry: str, writer: RevisionWriter, averaged: bool = False) -> None:
        self.config, self.writer, self.averaged = config, writer, averaged
        self.name = config.name or entry
        check_name(self.name)
        self.seen = -1  # step of the latest measurement that was looked at
        self.kept: dict[int, float] = {}  # step → value, of which full states are kept
        self.best: dict[str, Any] | None = None  # what the pointer says

    @property
    def state_key(self) -> str:
        return f"{type(self).__qualname__}[{self.name}]"

    @property
    def announces(self) -> bool:
        """Whether it is the one that tells the console of an evaluation's loss."""
        return self.config.monitor == "eval/loss"

    @property
    def pointer(self) -> Path:
        return self.writer.run / "checkpoints" / f"{self.name}.json"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, module: Any) -> None:
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
            board.publish(trainer, {f"{room}/best_{name}" if room else f"best_{name}": self.best["value"]})

    def _consider(self, trainer: Trainer, module: Any, step: int, value: float) -> None:
        config = self.config
        if self.best is None or config.better(value, self.best["value"]):
            revision = f"step{step}"
            if step not in self.writer.scheduled:
                revision = f"{self.name}-step{step}"
                if trainer.is_global_zero:
                    stage, loss = module.curriculum.stage_at(step).name, Measurements.of(trainer).at("eval/loss", step)
                    model = written_model(trainer, module, self.averaged)
                    self.writer.write_aside(model, revision, step, stage, loss)
            self.best = {
                "step": step,
                "monitor": config.monitor,
                "value": value,
                "name": f"step{step}",
                "revision": revision,
                "weights": "ema" if self.averaged else "raw",
            }
        elif len(self.kept) >= config.save_top_k and not config.better(value, self.kept[self._worst()]):
            return
        self.kept[step] = value
        if len(self.kept) > config.save_top_k:
            del self.kept[self._worst(but=self.best["step"])]

    def _worst(self, but: int | None = None) -> int:
        """Of the kept steps, the one that goes first; of equal ones the newer."""
        return max(
            (step for step in self.kept if step != but), key=lambda step: (self.config.rank(self.kept[step]), step)
        )

    def _say(self, board: Measurements, step: int, before: dict[str, Any] | None) -> None:
        assert self.best is not None or before is None
        words = self.config.monitor.replace("/", " ")
        if self.best is None:
            return
        if self.best is before:
            verdict = f"Best so far: {self.best['value']:.4g} at step {self.best['step']:,}"
        else:
            was = "" if before is None else f", was {before['value']:.4g} at step {before['step']:,}"
            verdict = f"New best {words}{was}"
        loss = board.at("eval/loss", step)
        text = block(step, loss, verdict) if self.announces and loss is not None else f"{words}: {verdict}"
        print(text, file=sys.stderr, flush=True)

    def point(self) -> None:
        """Let link and pointer lead to the best, whose state and model are on their way to the disk."""
        if self.best is not None and self._pointed() != self.best:
            self.writer.saves.submit(partial(_point, self.writer.run, self.name, self.pointer, self.best))

    def _pointed(self) -> Any:
        return read_json(self.pointer) if self.pointer.is_file() else None

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen, "kept": [[step, value] for step, value in self.kept.items()], "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen, self.best = state_dict["seen"], state_dict["best"]
        self.kept = dict(state_dict["kept"])


def _point(run: Path, name: str, pointer: Path, best: dict[str, Any]) -> None:
    revisions = run / "revisions"
    if not (run / "checkpoints" / best["name"]).is_dir() or not (revisions / best["revision"]).is_dir():
        return  # the run was set back to a time whose best has since made room for a better one, as it will again
    verify(run / "checkpoints" / best["name"])
    verify(revisions / best["revision"])
    aside = revisions / f"{ASIDE}{name}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(best["revision"], target_is_directory=True)
    os.replace(aside, revisions / name)
    sync_folder(revisions)
    write_json(pointer, best)
    for older in revisions.glob(f"{name}-step*"):
        if older.name != best["revision"]:
            doomed = older.with_name(f"{ASIDE}{older.name}")  # a half-removed model must not bear its name
            os.replace(older, doomed)
            shutil.rmtree(doomed)
