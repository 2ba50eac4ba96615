"""A column of the plane whenever training reaches a checkpoint: which, when, and of which weights."""

import logging
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tl_search.checkpoints.digests import folder_digests
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.checkpoints.source import shape_of
from tl_search.plane.arm import Plane
from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.scoring.randomness import undisturbed_randomness
from tl_search.search.pace import Pace
from tl_search.store.atomic import ASIDE
from tl_search.training.callbacks.ema import written_model
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.callbacks.scheduled_checkpoint import ScheduledCheckpoint

log = logging.getLogger(__name__)

Column = Mapping[str, list[float | None]]  # name → value at each layer; plain, since it is part of what resumes


class LiveColumns(Callback, ABC):
    """Measures a column at every due step for which there is time, and the others later.

    The model in training is only read: its weights go to a folder as a revision's do, and from there into the
    probe's own copy. So a column has the same digests, and the same numbers, as a search gives it. Of several ranks
    the first measures, and the others wait.

    Args:
        pace: Which steps are due, and how much time there is.
        extraction: With a settled dtype.
        noun: What the console and the messages call a column's values.
    """

    def __init__(self, pace: Pace, extraction: Extraction, noun: str) -> None:
        self.pace, self.extraction, self.noun = pace, extraction, noun
        self.columns: dict[int, Column] = {}
        self.spent = self.before = 0.0  # seconds of measuring, and of the run before it was resumed
        self._step: int | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Load what every column needs. Raises ValueError before the first step is lost."""

    @abstractmethod
    def measure(self, plane: Plane, folder: Path) -> Column:
        """The values of the plane's only column, whose weights are in `folder`."""

    @abstractmethod
    def values(self, column: Column) -> dict[str, float]:
        """What of a column is logged."""

    def show(self, trainer: Trainer, step: int) -> None:
        """Tell people of the column of a step, and of all of them."""

    @property
    def missing(self) -> list[int]:
        """Steps that were due and are not measured, though a revision was written there."""
        now = -1 if self._step is None else self._step
        return sorted(step for step in self._due & self._scheduled if step <= now and step not in self.columns)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        callbacks: Any = trainer.callbacks  # type: ignore[attr-defined]  # a list, which Lightning does not declare
        self._checkpoints = next(one for one in callbacks if isinstance(one, ScheduledCheckpoint))
        self._scheduled = frozenset(self._checkpoints.writer.scheduled)
        self._due = self.pace.due(self._scheduled, trainer.max_steps)
        if not trainer.is_global_zero:
            return
        with undisturbed_randomness():
            self.prepare()
        if self.pace.share is not None:
            self._warn_watchers(callbacks, self.pace.share)

    def _warn_watchers(self, callbacks: Any, share: float) -> None:
        """What is kept or stopped by a number must not silently be another on a slower machine."""
        monitors = {str(getattr(getattr(one, "config", one), "monitor", "")) for one in callbacks}
        for name in sorted(name for name in monitors if name.startswith(f"{self.noun}/")):
            log.warning("%s: measured only where share=%g leaves time; share=null measures all", name, share)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()
        self._look(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not self.missing:
            return
        self._checkpoints.writer.saves.drain()
        until = time.monotonic() + self.pace.final_seconds
        for step in self.missing:
            if time.monotonic() < until or self._may:
                self._catch_up(trainer, step)
        if left := self.missing:
            steps = ", ".join(f"{step:,}" for step in left)
            log.warning("%s: no time for the checkpoints of step %s; a search measures them", self.noun, steps)

    @property
    def _may(self) -> bool:
        return self.pace.allows(self.spent, self._elapsed)

    @property
    def _elapsed(self) -> float:
        return self.before + time.monotonic() - self._started

    def _look(self, trainer: Trainer, module: Any) -> None:
        step = trainer.global_step
        if step == self._step:  # the hook fires once per batch, not per step
            return
        missed = self.missing
        self._step = step
        if step in self._due and step not in self.columns:
            self._measure_now(trainer, module, step)
        elif missed and trainer.is_global_zero and self._may:
            self._catch_up(trainer, missed[0])

    def _measure_now(self, trainer: Trainer, module: Any, step: int) -> None:
        found: tuple[Column, dict[str, float]] | None = None
        last = step == trainer.max_steps and self.pace.final_seconds > 0
        if trainer.is_global_zero and (last or self._may):
            with self._timed(), self._live(trainer, module, step) as (revision, folder):
                column = self.measure(self._plane(trainer, revision, folder), folder)
                found = column, self.values(column)
        found = trainer.strategy.broadcast(found)
        if found is None:
            return
        self.columns[step], values = found
        Measurements.of(trainer).publish(trainer, values)
        if trainer.is_global_zero:
            self.show(trainer, step)

    def _catch_up(self, trainer: Trainer, step: int) -> None:
        """Measure a written revision and log it at its own step; who watches the present is told nothing."""
        source = RunCheckpoints(str(trainer.default_root_dir))
        revision = next((one for one in source.revisions() if one.step == step), None)
        if revision is None:  # not on disk yet, or of equal weights as another
            return
        with self._timed():
            try:
                folder = source.fetch(revision)
                column = self.measure(self._plane(trainer, revision, folder), folder)
            except ValueError as error:  # damaged or removed since
                self.columns[step] = {}
                log.warning("%s of step %d: %s", self.noun, step, error)
                return
        self.columns[step] = column
        for logger in trainer.loggers:
            logger.log_metrics(self.values(column), step=step)
        self.show(trainer, step)

    def _plane(self, trainer: Trainer, revision: Revision, folder: Path) -> Plane:
        name = Path(trainer.default_root_dir).resolve().name
        return Plane(name, (revision,), shape_of(folder).n_layers, self.extraction)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started, talks = time.monotonic(), logging.getLogger("tl_search.search")
        level = talks.level
        talks.setLevel(logging.WARNING)  # what a search says of every step of its work is too much between others'
        try:
            with undisturbed_randomness():
                yield
        finally:
            talks.setLevel(level)
        self.spent += time.monotonic() - started

    @contextmanager
    def _live(self, trainer: Trainer, module: Any, step: int) -> Iterator[tuple[Revision, Path]]:
        """The weights of this moment as the revision that is written of them: same files, same digests."""
        writer = self._checkpoints.writer
        with tempfile.TemporaryDirectory(dir=trainer.default_root_dir, prefix=ASIDE) as aside:
            written_model(trainer, module, self._checkpoints.averaged).save_pretrained(aside)
            writer.tokenizer.save_pretrained(aside)
            facts = writer.facts(step, module.curriculum.stage_at(step).name)
            digests = folder_digests(Path(aside))
            yield Revision(facts["name"], step, facts["tokens"], *digests), Path(aside)

    def state_dict(self) -> dict[str, Any]:
        elapsed = self._elapsed if hasattr(self, "_started") else self.before
        columns = [[step, dict(column)] for step, column in self.columns.items()]
        return {"columns": columns, "spent": self.spent, "elapsed": elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.columns = dict(state_dict["columns"])
        self.spent, self.before = state_dict["spent"], state_dict["elapsed"]
