"""The unit of work: some cells of one revision → their scores.

Here the checkpoint source, the probe and the scorer meet: weights come once, texts are embedded once for all layers,
and a cell that the ledger knows costs nothing.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tl_search.checkpoints.source import CheckpointSource
from tl_search.plane.arm import Arm, Plane
from tl_search.plane.pull import Cost, Score, TaskSpec
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import column_key, embed_column, layer_name
from tl_search.scoring.ledger import Ledger
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import text_digest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """One (layer, task) of a column."""

    layer: int
    task: TaskSpec


@dataclass(frozen=True)
class ColumnResult:
    """What a column's work brought.

    Args:
        scores: The cells that could be scored.
        failures: The others, with the reason in one line.
        seconds: What was spent on the clock, for people; decisions use the cost table.
    """

    scores: Mapping[Cell, Score]
    failures: Mapping[Cell, str]
    seconds: Cost


@dataclass
class Workshop:
    """What turns (revision, cells) into scores.

    Args:
        source: Where the weights come from.
        plane: Whose columns they are.
        suite: The texts of the split that is scored.
        probe: Devices and batch sizes.
        embeddings: Where vectors are kept.
        ledger: Where scores are kept.
    """

    source: CheckpointSource
    plane: Plane
    suite: SuiteTexts
    probe: ProbeConfig
    embeddings: ArrayStore
    ledger: Ledger
    _folders: dict[str, Path] = field(default_factory=dict)

    def run_column(self, revision: Revision, cells: tuple[Cell, ...]) -> ColumnResult:
        """Score the cells; those that the ledger has are only read."""
        from tl_search.scoring.score import score_cell

        scores: dict[Cell, Score] = {}
        failures: dict[Cell, str] = {}
        seconds = Cost()
        for task in dict.fromkeys(cell.task for cell in cells):
            asked = [cell for cell in cells if cell.task == task]
            for cell in asked:
                known = self.ledger.get(self.plane.arm(revision, cell.layer), task)
                if known is not None:
                    scores[cell] = known
            for cell in (cell for cell in asked if cell not in scores):
                arm = self.plane.arm(revision, cell.layer)
                vectors, spent = self.vectors(arm, task)
                started = time.monotonic()
                try:
                    score = score_cell(arm, task, vectors)
                except ValueError as error:
                    failures[cell] = str(error)
                    log.warning("%s on %s failed: %s", arm.label, task.name, error)
                else:
                    self.ledger.put(score)
                    scores[cell] = score
                seconds = seconds + spent + Cost(score=time.monotonic() - started)
        return ColumnResult(scores, failures, seconds)

    def vectors(self, arm: Arm, task: TaskSpec) -> tuple[dict[str, np.ndarray], Cost]:
        """Text digest → vector (width,) for all texts of the task, and the seconds that it took."""
        cost = Cost()
        vectors: dict[str, np.ndarray] = {}
        for owner in self.suite.needs[task.name]:
            states, spent = self._states(arm, owner)
            cost += spent
            vectors.update(zip(map(text_digest, self.suite.parts[owner]), states, strict=True))
        return vectors, cost

    def _states(self, arm: Arm, owner: str) -> tuple[np.ndarray, Cost]:
        """The arm's vectors (text, width) of one task's part of the texts; embeds the whole column when it must."""
        texts, extraction = self.suite.parts[owner], self.plane.extraction
        if not texts:
            return np.empty((0, 0), np.float32), Cost()
        name = layer_name(arm.layer)
        started = time.monotonic()
        arrays = self.embeddings.get(column_key(arm.revision, extraction, texts), [name])
        if arrays is not None:
            return arrays[name], Cost(embed=time.monotonic() - started)
        folder = self._fetched(arm.revision)
        loaded = time.monotonic()
        key = embed_column(arm.revision, folder, texts, extraction, self.probe, self.embeddings)
        arrays = self.embeddings.get(key, [name])
        if arrays is None:
            raise OSError(f"{self.embeddings.path(key)}: cannot be read back after it was written")
        return arrays[name], Cost(load=loaded - started, embed=time.monotonic() - loaded)

    def _fetched(self, revision: Revision) -> Path:
        if revision.name not in self._folders:
            self._folders[revision.name] = self.source.fetch(revision)
        return self._folders[revision.name]
