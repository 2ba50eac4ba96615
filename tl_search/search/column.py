"""The unit of work, some cells of one revision, and the worker that scores it on this machine.

Here the checkpoint source, the probe and the scorer meet: a revision is fetched once, its texts are embedded once for
all layers, and a cell whose score is in the ledger is not scored again.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tl_search.errors.secrets import redact
from tl_search.errors.stopping import check
from tl_search.plane.arm import Arm, Plane
from tl_search.plane.pull import Score, TaskSpec
from tl_search.plane.revision import Revision
from tl_search.probe.embed import column_key, embed_column, layer_name
from tl_search.runs.outcome import Cut
from tl_search.scoring.ledger import Ledger
from tl_search.search.prefetch import Prefetch
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import text_digest

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """A cell within a column, whose revision is known: (layer, task)."""

    layer: int
    task: TaskSpec


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
    """

    prefetch: Prefetch
    plane: Plane
    suite: SuiteTexts
    session: "ProbeSession"
    embeddings: ArrayStore
    ledger: Ledger
    _broken: dict[tuple[str, str], str] = field(default_factory=dict)

    def on(self, suite: SuiteTexts) -> "LocalWorker":
        """A worker for other texts that shares this one's prefetch, so that no revision is fetched twice."""
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
        if any(self.ledger.get(self.plane.arm(job.revision, cell.layer), cell.task) is None for cell in job.cells):
            self.prefetch.expect(job.revision)

    def run_column(self, job: ColumnJob) -> ColumnResult:
        """Score the job's cells; those in the ledger are only read."""
        from tl_search.scoring.resample import estimate_cell

        scores: dict[Cell, Score] = {}
        failures: dict[Cell, str] = {}
        for cell in job.cells:
            check()
            arm = self.plane.arm(job.revision, cell.layer)
            try:
                known = self.ledger.get(arm, cell.task)
                scores[cell] = known or self.ledger.put(estimate_cell(arm, cell.task, self.vectors(arm, cell.task)))
            except ValueError as error:
                failures[cell] = redact(str(error))
                log.warning("%s on %s failed: %s", arm.label, cell.task.name, error)
        return ColumnResult(scores, failures)

    def vectors(self, arm: Arm, task: TaskSpec) -> dict[str, np.ndarray]:
        """Text digest → vector (width,) for all texts of the task.

        Raises:
            ValueError: the weights are damaged, or the model gives no usable vectors for these texts.
        """
        check()
        vectors: dict[str, np.ndarray] = {}
        for owner in self.suite.needs[task.name]:
            rows = self._part(arm, owner)
            vectors.update(zip(map(text_digest, self.suite.parts[owner]), rows, strict=True))
        return vectors

    def _part(self, arm: Arm, owner: str) -> np.ndarray:
        """The arm's vectors (text, width) of one task's part of the texts; embeds the column unless it is stored."""
        name, texts, extraction = layer_name(arm.layer), self.suite.parts[owner], self.plane.extraction
        key = column_key(arm.revision, extraction, texts)
        arrays = self.embeddings.get(key, [name])
        if arrays is not None and not _are_vectors(arrays[name], len(texts)):  # whoever wrote them; its sums may fit
            self.embeddings.remove(key)
            arrays = None
        if arrays is None:
            self._embed(arm.revision, owner)
            arrays = self.embeddings.get(key, [name])
        if arrays is None:
            raise OSError(f"{self.embeddings.path(key)}: cannot be read back after it was written")
        return arrays[name]

    def _embed(self, revision: Revision, owner: str) -> None:
        """Store the vectors of one task's part of the texts at every layer. What failed once is not tried again."""
        if (revision.name, owner) in self._broken:
            raise ValueError(self._broken[revision.name, owner])
        try:
            folder, texts = self.prefetch.folder(revision), self.suite.parts[owner]
            log.info("%s: embedding the %d texts of %s at every layer", revision.name, len(texts), owner)
            embed_column(revision, folder, texts, self.plane.extraction, self.session, self.embeddings)
        except ValueError as error:
            self._broken[revision.name, owner] = redact(str(error))
            raise


def _are_vectors(array: np.ndarray, texts: int) -> bool:
    return array.ndim == 2 and len(array) == texts and array.dtype == np.float32 and bool(np.isfinite(array).all())
