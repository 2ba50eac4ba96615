"""The callback that measures a column of the plane when training reaches a checkpoint, or later from the checkpoint."""

import logging
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from tl_search.checkpoints.run import RunCheckpoints
from tl_search.checkpoints.source import shape_of
from tl_search.plane.arm import Plane
from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig, check_device, settled
from tl_search.probe.session import ProbeSession
from tl_search.runs.digests import folder_digests
from tl_search.scoring.randomness import undisturbed_randomness
from tl_search.search.live_look import indexed, listed, monitored, sentence, unnoticed
from tl_search.search.pace import Pace
from tl_search.store.atomic import ASIDE
from tl_search.store.keys import digest
from tl_search.training.callbacks.ema import written_model
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.callbacks.neighbours import neighbours
from tl_search.training.callbacks.scheduled_checkpoint import ScheduledCheckpoint

log = logging.getLogger(__name__)

ColumnValues = Mapping[str, list[float | None]]  # name → value at each layer; plain, since it is part of what resumes


class LiveColumns(Callback, ABC):
    """Measures a column at every due step for which there is time, and the others later.

    The model in training is only read. Its weights are written to a folder like those of a revision, and are loaded
    from there into the probe's own copy. So a column has the same digests and the same values as in a search. With
    several ranks, the first one measures and the others wait. If a measurement fails, only its column is missing; the
    training continues.

    Raises:
        ValueError: this machine does not have the probe's device.
    """

    noun: str  # what the console and the messages call a column's values
    entry: str  # under `callbacks`

    def __init__(self, pace: Pace, extraction: Extraction, probe: ProbeConfig) -> None:
        with self._named():
            check_device(probe)
        self.pace, self.extraction = pace, settled(extraction, probe.accelerator)
        self.session = ProbeSession(probe)
        self.columns: dict[int, ColumnValues] = {}
        self.spent = self.before = 0.0  # seconds of measuring, and of the run before it was resumed
        # Steps that were due and are not measured: those with a revision, which can be measured later, and those
        # without. A measurement that failed is tried again only after the run was resumed from a state.
        self._open: list[int] = []
        self._lost: list[int] = []
        self._step = -1
        self._of: str | None = None  # digest of the settings that columns depend on
        self._until: float | None = None  # when `final_seconds` are over

    @abstractmethod
    def prepare(self) -> None:
        """Load what every column needs. Raises ValueError, before the first step of training."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What a column depends on, besides weights and extraction; plain values, known after `prepare`."""

    @abstractmethod
    def measure(self, plane: Plane, folder: Path) -> ColumnValues | None:
        """The values of the plane's only column, whose weights are in `folder`; None if `stopping` ended it early.

        Raises:
            ValueError: the column has no values.
        """

    @abstractmethod
    def values(self, column: ColumnValues) -> dict[str, float]:
        """The numbers of a column that are logged, by name."""

    def show(self, trainer: Trainer, step: int) -> None:
        """Show the column of a step, and all columns so far, on the console and in pictures."""

    @property
    def stopping(self) -> bool:
        """Whether the run was told to stop, and waits until this callback has finished."""
        return self._run.interrupts.received is not None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        (checkpoints,) = neighbours(trainer, ScheduledCheckpoint)
        self._run = checkpoints.run
        self._due = self.pace.due(self._run.scheduled, trainer.max_steps)
        # one session for all that look with the same settings: one copy of the model serves them
        others = [other for other in neighbours(trainer, Callback) if isinstance(other, LiveColumns)]
        self.session = next(other.session for other in others if other.session.config == self.session.config)
        if trainer.is_global_zero:
            self._prepare(trainer)
        self._of = trainer.strategy.broadcast(self._of)  # all ranks must agree on which columns are measured

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.session.close()

    def _prepare(self, trainer: Trainer) -> None:
        with self._named(), undisturbed_randomness():
            self.prepare()
        self._of = digest({"extraction": self.extraction.identity(), **self.identity()})
        if self.pace.share is not None:  # what is kept by a number must not silently be another on a slower machine
            for name in monitored(neighbours(trainer, Callback), self.noun):
                left = f"measured only where share={self.pace.share:g} leaves time; share=null measures all"
                log.warning("%s: %s", name, left)
        root = trainer.strategy.root_device
        if root.type == "cuda" and root.index and self.session.config.accelerator != "cpu":
            where = "measurements use GPU 0, but training uses GPU %d; CUDA_VISIBLE_DEVICES=%d makes both use it"
            log.warning(f"%s: {where}", self.noun, root.index, root.index)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()
        for step in sorted(self._due - self.columns.keys()):
            if step < trainer.global_step:
                self._put_off(step)
        self._look(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and (self._open or self._lost):
            self._finish(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # after the last step the run is not resumed, so they would never be measured
        if trainer.is_global_zero and trainer.global_step >= trainer.max_steps:
            self._say_open(self._run.scheduled)

    @property
    def _may(self) -> bool:
        return not self.stopping and self.pace.allows(self.spent, self._elapsed)

    def _may_in_the_end(self) -> bool:
        """Past the last step; the first time that this is asked, `final_seconds` begin."""
        if self._until is None:
            self._until = time.monotonic() + self.pace.final_seconds
        return self._may or (time.monotonic() < self._until and not self.stopping)

    @property
    def _elapsed(self) -> float:
        return self.before + time.monotonic() - self._started

    def _look(self, trainer: Trainer, module: Any) -> None:
        step = trainer.global_step
        if step == self._step:  # the hook fires once per batch, not per step
            return
        self._step = step
        if step in self._due and step not in self.columns:
            with self._timed(trainer):
                self._measure_now(trainer, module, step)
        elif self._open and trainer.is_global_zero and self._may:
            with self._timed(trainer):
                self._catch_up(trainer)

    def _measure_now(self, trainer: Trainer, module: Any, step: int) -> None:
        found: tuple[ColumnValues, dict[str, float]] | None = None
        if trainer.is_global_zero and (self._may_in_the_end() if step == trainer.max_steps else self._may):
            found = self._attempt(step, partial(self._now, trainer, module, step))
        found = trainer.strategy.broadcast(found)
        if found is None:
            self._put_off(step)
            return
        column, values = found
        if column:
            self.columns[step] = column
            Measurements.of(trainer).publish(trainer, values)
            self._show(trainer, step)

    def _put_off(self, step: int) -> None:
        (self._open if step in self._run.scheduled else self._lost).append(step)

    def _catch_up(self, trainer: Trainer) -> bool:
        """Measure a written revision and log it at its own step; other callbacks do not see its values.

        Returns:
            Whether a revision was measured and the run was not told to stop.
        """
        lines = indexed(Path(trainer.default_root_dir))
        step = next((step for step in self._open if step in lines), None)
        found = None if step is None else self._attempt(step, partial(self._then, trainer, lines[step]))
        if step is None or found is None:
            return False
        self._open.remove(step)
        column, values = found
        if column:
            self.columns[step] = column
            for logger in trainer.loggers:
                logger.log_metrics(values, step=step)
            self._show(trainer, step)
        return True

    def _finish(self, trainer: Trainer) -> None:
        if self._open and self._may_in_the_end():
            count = len(self._open)  # before it is done: a kill comes without a word
            log.info(
                "%s: %d checkpoints are not measured yet; they are measured now, as far as time allows",
                self.noun,
                count,
            )
        self._run.saves.drain()
        more = True
        while more and self._open and self._may_in_the_end():
            with self._timed(trainer):
                more = self._catch_up(trainer)
        self._say_open(indexed(Path(trainer.default_root_dir)))

    def _say_open(self, written: Collection[int]) -> None:
        """Warn about the steps that a search can still measure, and about those that cannot be measured any more."""
        kept = [step for step in self._open if step in written]
        lost = sorted({*self._lost, *self._open} - {*kept})
        why = "the run was told to stop" if self.stopping else "there was no time"
        if kept:
            told = "%s: the checkpoints of step %s were not measured, since %s; a search measures them"
            log.warning(told, self.noun, listed(kept), why)
        if lost:
            log.warning(
                "%s: step %s was not measured in time, and has no checkpoint to measure later; share=null measures all",
                *(self.noun, listed(lost)),
            )

    def _attempt(
        self, step: int, look: Callable[[], ColumnValues | None]
    ) -> tuple[ColumnValues, dict[str, float]] | None:
        """A column and its logged numbers; both are empty if measuring failed. None if it was ended early."""
        try:
            column = look()
            return None if column is None else (column, self.values(column))
        except Exception as error:  # a full disk or device is no reason to lose the training
            self.session.models.drop()  # it may be half moved to the device, or hold the weights of two steps
            log.warning("%s of step %s could not be measured: %s", self.noun, f"{step:,}", sentence(error))
            log.debug("the traceback of this error", exc_info=True)
            return {}, {}

    def _now(self, trainer: Trainer, module: Any, step: int) -> ColumnValues | None:
        """The column of the current weights, which get the same files and digests as the revision of this step."""
        with tempfile.TemporaryDirectory(dir=trainer.default_root_dir, prefix=ASIDE) as aside:
            written_model(trainer, module, self._run.averaged).save_pretrained(aside)
            self._run.tokenizer.save_pretrained(aside)
            facts = self._run.timeline.facts(step)
            revision = Revision(facts["name"], step, facts["tokens"], *folder_digests(Path(aside)))
            return self._of_revision(trainer, revision, Path(aside))

    def _then(self, trainer: Trainer, revision: Revision) -> ColumnValues | None:
        """The column of a written revision."""
        folder = RunCheckpoints(str(trainer.default_root_dir)).fetch(revision)
        return self._of_revision(trainer, revision, folder)

    def _of_revision(self, trainer: Trainer, revision: Revision, folder: Path) -> ColumnValues | None:
        name = Path(trainer.default_root_dir).resolve().name
        return self.measure(Plane(name, (revision,), shape_of(folder).n_layers, self.extraction), folder)

    def _show(self, trainer: Trainer, step: int) -> None:
        if not trainer.is_global_zero:
            return
        try:
            self.show(trainer, step)
        except Exception as error:
            log.warning("%s of step %s cannot be shown: %s", self.noun, f"{step:,}", sentence(error))

    @contextmanager
    def _timed(self, trainer: Trainer) -> Iterator[None]:
        """Within the block, time counts as spent on measuring, and the training is not disturbed."""
        started = time.monotonic()
        try:
            with unnoticed(trainer):
                yield
        finally:
            self.spent += time.monotonic() - started

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise ValueError(f"callbacks.{self.entry}.{error}") from error

    def state_dict(self) -> dict[str, Any]:
        elapsed = self._elapsed if hasattr(self, "_started") else self.before
        columns = [[step, dict(column)] for step, column in self.columns.items()]
        return {"of": self._of, "columns": columns, "spent": self.spent, "elapsed": elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Called after `setup`. Columns of other tasks or settings are measured again, from their revisions."""
        self.columns = dict(state_dict["columns"])
        if self.columns and state_dict.get("of", self._of) != self._of:  # earlier versions did not say
            say, steps = rank_zero_only(log.warning), listed(sorted(self.columns))
            say("%s: its settings have changed, so the columns of step %s are measured again", self.noun, steps)
            self.columns = {}
        self.spent, self.before = state_dict["spent"], state_dict["elapsed"]
