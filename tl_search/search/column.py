"""The unit of work: some cells of one revision → their scores.

Here the checkpoint source, the probe and the scorer meet: weights come once, texts are embedded once for all layers,
and a cell that the ledger knows costs nothing.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tl_search.plane.arm import Arm, Plane
from tl_search.plane.pull import Score, TaskSpec
from tl_search.plane.revision import Revision
from tl_search.probe.embed import column_key, embed_column, layer_name
from tl_search.scoring.ledger import Ledger
from tl_search.search.prefetch import Weights
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore
from tl_search.store.keys import text_digest

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

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
    """

    scores: Mapping[Cell, Score]
    failures: Mapping[Cell, str]


@dataclass
class Workshop:
    """What turns (revision, cells) into scores.

    Args:
        weights: Where revisions come from.
        plane: Whose columns they are.
        suite: The texts of the split that is scored.
        session: Computes vectors.
        embeddings: Where vectors are kept.
        ledger: Where scores are kept.
    """

    weights: Weights
    plane: Plane
    suite: SuiteTexts
    session: "ProbeSession"
    embeddings: ArrayStore
    ledger: Ledger
    _broken: dict[tuple[str, str], str] = field(default_factory=dict)

    def on(self, suite: SuiteTexts) -> "Workshop":
        """The same over other texts: revisions that were fetched and verified here are not fetched again there."""
        return replace(self, suite=suite, _broken={})

    def expect(self, arm: Arm, tasks: Iterable[TaskSpec]) -> None:
        """Let the arm's revision be fetched while something else is done, if a score will need it."""
        if any(self.ledger.get(arm, task) is None for task in tasks):
            self.weights.expect(arm.revision)

    def run_column(self, revision: Revision, cells: tuple[Cell, ...]) -> ColumnResult:
        """Score the cells; those that the ledger has are only read."""
        from tl_search.scoring.score import score_cell

        scores: dict[Cell, Score] = {}
        failures: dict[Cell, str] = {}
        for cell in cells:
            arm = self.plane.arm(revision, cell.layer)
            known = self.ledger.get(arm, cell.task)
            if known is not None:
                scores[cell] = known
                continue
            try:
                scores[cell] = self.ledger.put(score_cell(arm, cell.task, self.vectors(arm, cell.task)))
            except ValueError as error:
                failures[cell] = str(error)
                log.warning("%s on %s failed: %s", arm.label, cell.task.name, error)
        return ColumnResult(scores, failures)

    def vectors(self, arm: Arm, task: TaskSpec) -> dict[str, np.ndarray]:
        """Text digest → vector (width,) for all texts of the task.

        Raises:
            ValueError: the weights are damaged, or the model gives no vectors for these texts.
        """
        vectors: dict[str, np.ndarray] = {}
        for owner in self.suite.needs[task.name]:
            states = self._states(arm, owner)
            vectors.update(zip(map(text_digest, self.suite.parts[owner]), states, strict=True))
        return vectors

    def _states(self, arm: Arm, owner: str) -> np.ndarray:
        """The arm's vectors (text, width) of one task's part of the texts; embeds the whole column when it must."""
        name, texts, extraction = layer_name(arm.layer), self.suite.parts[owner], self.plane.extraction
        key = column_key(arm.revision, extraction, texts)
        arrays = self.embeddings.get(key, [name])
        if arrays is None:
            self._embed(arm.revision, owner)
            arrays = self.embeddings.get(key, [name])
        if arrays is None:
            raise OSError(f"{self.embeddings.path(key)}: cannot be read back after it was written")
        return arrays[name]

    def _embed(self, revision: Revision, owner: str) -> None:
        """Put a column's vectors of one task's part into the store; what failed once is not tried for every layer."""
        if (revision.name, owner) in self._broken:
            raise ValueError(self._broken[revision.name, owner])
        try:
            folder, texts = self.weights.folder(revision), self.suite.parts[owner]
            log.info("%s: embedding the %d texts of %s at every layer", revision.name, len(texts), owner)
            embed_column(revision, folder, texts, self.plane.extraction, self.session, self.embeddings)
        except ValueError as error:
            self._broken[revision.name, owner] = str(error)
            raise
