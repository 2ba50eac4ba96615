"""The unit of work, some cells of one revision, and the worker that scores it on this machine.

Here the checkpoint source, the probe and the scorer meet: a revision is fetched once, its texts are embedded once for
all layers, and a cell whose score is in the ledger is not scored again.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tl_search.errors.secrets import redact
from tl_search.errors.stopping import check
from tl_search.plane.arm import Arm, Plane
from tl_search.plane.costs import READOUTS
from tl_search.plane.pull import Score, TaskSpec
from tl_search.plane.readout import RAW, Readout
from tl_search.plane.revision import Revision
from tl_search.probe.embed import column_key, embed_column, layer_name
from tl_search.probe.readout import Map
from tl_search.runs.outcome import Cut
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.processes import Scorers
from tl_search.scoring.text_vectors import TextVectors
from tl_search.search.prefetch import Prefetch
from tl_search.search.readouts import FittedReadouts
from tl_search.search.storage import HeldColumns
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

log = logging.getLogger(__name__)

_ATTEMPTS = 3  # to read a column: another search may remove it, to keep to its own limit, before it is read


@dataclass(frozen=True)
class Cell:
    """A cell within a column, whose revision is known: (layer, task, readout)."""

    layer: int
    task: TaskSpec
    readout: Readout = RAW

    @classmethod
    def of(cls, arm: Arm, task: TaskSpec) -> "Cell":
        return cls(arm.layer, task, arm.readout)


@dataclass(frozen=True)
class ColumnJob:
    """Cells of one revision to score together: one fetch and one embedding serve them all. Can be pickled.

    Args:
        revision: The revision of the column.
        cells: Cells of one layer or of several.
    """

    revision: Revision
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ColumnResult:
    """The results of a job: each cell is in one of the two mappings, in the job's order. Can be pickled.

    Args:
        scores: The cells that could be scored.
        failures: The others, with the reason in one line.
    """

    scores: Mapping[Cell, Score]
    failures: Mapping[Cell, str]


class ColumnWorker(Protocol):
    """Scores jobs, on this machine or elsewhere."""

    def run_column(self, job: ColumnJob) -> ColumnResult:
        """Score the job's cells; returns when all of them are scored or have failed."""
        ...

    def expect(self, job: ColumnJob) -> None:
        """Prepare for a job that will probably come next; returns at once. It may never come."""
        ...


@dataclass
class LocalWorker:
    """Scores jobs in this process.

    Args:
        prefetch: Where the folders of revisions come from.
        plane: The plane of the columns.
        suite: The texts of the split that is scored.
        session: Computes vectors.
        embeddings: Where vectors are kept.
        ledger: Where scores are kept.
        readouts: Fits the readouts of the plane; None where there is only raw.
        scorers: Where cells are scored.
        held: Keeps what is stored within its limit; None = there is no limit.
    """

    prefetch: Prefetch
    plane: Plane
    suite: SuiteTexts
    session: "ProbeSession"
    embeddings: ArrayStore
    ledger: Ledger
    readouts: FittedReadouts | None = None
    scorers: Scorers = field(default_factory=Scorers)
    held: HeldColumns | None = None
    _broken: dict[tuple[str, str], str] = field(default_factory=dict)

    def on(self, suite: SuiteTexts) -> "LocalWorker":
        """A worker for other texts that shares this one's prefetch, so that no revision is fetched twice."""
        if self.held is not None:
            self.held.need(suite)
        return replace(self, suite=suite, _broken={})

    def healed(self) -> dict[str, int]:
        """What was damaged on disk and is made anew when it is needed → how many."""
        counts = {
            "scores": len({path.stem.rpartition("-")[0] for path in self.ledger.quarantined}),
            "replicates": self.ledger.damaged_replicates,
            "columns": len(set(self.embeddings.damaged)),
        }
        return {what: number for what, number in counts.items() if number}

    def texts_cut(self) -> Cut | None:
        """How many of the suite's texts were cut in the final checkpoint's column; None where none of it is stored."""
        revision, cut, texts = self.plane.revisions[-1], 0, 0
        for part in self.suite.parts.values():
            notes = self.embeddings.notes(column_key(revision, self.plane.extraction, part))
            if "texts_cut" in notes:
                cut, texts = cut + int(notes["texts_cut"]), texts + len(part)
        return Cut(cut, texts) if texts else None

    def expect(self, job: ColumnJob) -> None:
        """Fetch the job's revision in the background, if the ledger lacks the score of one of its cells."""
        if any(self.ledger.get(self._arm(job, cell), cell.task) is None for cell in job.cells):
            self.prefetch.expect(job.revision)

    def _arm(self, job: ColumnJob, cell: Cell) -> Arm:
        return self.plane.arm(job.revision, cell.layer, cell.readout)

    def run_column(self, job: ColumnJob) -> ColumnResult:
        """Score the job's cells; those in the ledger are only read."""
        from tl_search.scoring.uncertainty.resample import estimate_cell

        arms = {cell: self._arm(job, cell) for cell in job.cells}
        known = {cell: self.ledger.get(arm, cell.task) for cell, arm in arms.items()}
        scores = {cell: score for cell, score in known.items() if score is not None}
        failures: dict[Cell, str] = {}
        fresh = [cell for cell in job.cells if cell not in scores]
        for number, found in self.scorers.each(
            estimate_cell, [partial(self._arguments, arms[cell], cell.task) for cell in fresh]
        ):
            cell = fresh[number]
            if isinstance(found, ValueError):
                failures[cell] = redact(str(found))
                log.warning("%s on %s failed: %s", arms[cell].label, cell.task.name, found)
            else:
                scores[cell] = self.ledger.put(found)
        in_order = {cell: scores[cell] for cell in job.cells if cell in scores}
        return ColumnResult(in_order, {cell: failures[cell] for cell in job.cells if cell in failures})

    def _arguments(self, arm: Arm, task: TaskSpec) -> tuple[Arm, TaskSpec, TextVectors]:
        """Of a function that scores a cell."""
        return arm, task, self.vectors(arm, task)

    def vectors(self, arm: Arm, task: TaskSpec) -> TextVectors:
        """Text digest → vector (width,) for all texts of the task.

        Raises:
            ValueError: the weights are damaged, or the model gives no usable vectors for these texts.
        """
        check()
        parts = [self._part(arm, owner) for owner in self.suite.needs[task.name]]
        return TextVectors(self.suite.places(task.name), parts)

    def _part(self, arm: Arm, owner: str) -> np.ndarray:
        """The arm's vectors (text, width) of one task's part of the texts; embeds the column unless it is stored."""

        if self.readouts is None or arm.readout.is_raw:
            return self._states(arm.revision, owner, [arm.layer])[0]
        return self.fitted(arm)(self._states(arm.revision, owner, arm.readout.layers(arm.layer)))

    def fitted(self, arm: Arm) -> Map:
        """The map of an arm's readout, which is not raw; fitted unless it is stored. Raises ValueError as `vectors`."""
        assert self.readouts is not None, "there is only raw"
        layers = arm.readout.layers(arm.layer)
        return self.readouts.map(arm, lambda: self._states(arm.revision, READOUTS, layers))

    def _states(self, revision: Revision, owner: str, layers: Iterable[int]) -> list[np.ndarray]:
        """The vectors (text, width) of one part of the texts at some layers, as the probe gives them."""
        names, texts = [layer_name(layer) for layer in layers], self.suite.parts[owner]
        key = column_key(revision, self.plane.extraction, texts)
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._embed(revision, owner)
            arrays = self.embeddings.get(key, names)
            if arrays is None:
                continue
            if all(_are_vectors(arrays[name], len(texts)) for name in names):
                self.embeddings.touch(key)
                return [arrays[name] for name in names]
            self.embeddings.remove(key)  # whoever wrote them; its sums may fit
        raise OSError(f"{self.embeddings.path(key)}: cannot be read back after it was written")

    def _embed(self, revision: Revision, owner: str) -> None:
        """Store the vectors of one part of the texts at every layer. What failed once is not tried again."""
        if (revision.name, owner) in self._broken:
            raise ValueError(self._broken[revision.name, owner])
        try:
            folder, texts = self.prefetch.folder(revision), self.suite.parts[owner]
            log.info("%s: embedding the %d texts of %s at every layer", revision.name, len(texts), owner)
            embed_column(revision, folder, texts, self.plane.extraction, self.session, self.embeddings)
        except ValueError as error:
            self._broken[revision.name, owner] = redact(str(error))
            raise
        if self.held is not None:
            self.held.trim()


def _are_vectors(array: np.ndarray, texts: int) -> bool:
    return array.ndim == 2 and len(array) == texts and array.dtype == np.float32 and bool(np.isfinite(array).all())
