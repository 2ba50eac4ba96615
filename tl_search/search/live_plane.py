"""Scores all layers at every checkpoint while a model trains: logs the numbers, and draws the growing plane."""

import logging
import sys
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from tl_search.plane.arm import Plane
from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Objective, combine
from tl_search.plane.pull import Score
from tl_search.plane.share import ALL
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import layer_name
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.suites import Suite
from tl_search.search.column import Cell, ColumnJob, LocalWorker
from tl_search.search.live_columns import ColumnValues, LiveColumns
from tl_search.search.pace import Pace
from tl_search.search.prefetch import Prefetch
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore

log = logging.getLogger(__name__)


class LivePlane(LiveColumns):
    """Scores every cell of a column, on the suite's share of the items, and publishes, in points,

    - `plane/best`, the objective of the best layer, and `plane/best_layer`;
    - `plane/<task>`, the score of the layer that is best on this task;
    - `plane/objective/layer_003`, every layer's objective;

    and draws `plane/picture`, the objective of all columns so far.

    Args:
        pace: Which steps are due, and how much time there is.
        extraction: How texts become vectors.
        probe: Where the forward passes run.
        tasks: The suite whose selection data are scored.
        objective: How tasks add up.
        ledger: Folder of all scores.
        embeddings: Folder of all vectors.
    """

    noun, entry = "plane", "plane_probe"

    def __init__(
        self,
        pace: Pace,
        extraction: Extraction,
        probe: ProbeConfig,
        tasks: Suite,
        objective: Objective,
        ledger: Path,
        embeddings: Path,
    ) -> None:
        super().__init__(pace, extraction, probe)
        self.tasks, self.objective, self.ledger, self.embeddings = tasks, objective, ledger, embeddings

    def prepare(self) -> None:
        tasks = self.tasks
        selection = tasks.selection()
        self._suite = SuiteTexts(selection, tasks.texts(selection, self.ledger / "texts"))
        self._weights = self.objective.weights(self._suite.tasks)

    def identity(self) -> dict[str, Any]:
        return {"tasks": {task.name: task.identity() for task in self._suite.tasks}, "weights": self._weights}

    def measure(self, plane: Plane, folder: Path) -> ColumnValues | None:
        ledger, embeddings = Ledger(self.ledger), ArrayStore(self.embeddings)
        worker = LocalWorker(Prefetch(lambda _: folder), plane, self._suite, self.session, embeddings, ledger)
        revision = plane.revisions[0]
        scores: dict[Cell, Score] = {}
        failures: dict[Cell, str] = {}
        for task in self._suite.tasks:
            if self.stopping:  # what is scored stays in the ledger
                return None
            result = worker.run_column(ColumnJob(revision, tuple(Cell(layer, task) for layer in plane.layers)))
            scores |= result.scores
            failures |= result.failures
        if failures:
            cell, reason = next(iter(failures.items()))
            first = f"layer {cell.layer} on {cell.task.name}: {reason}"
            if not scores:
                raise ValueError(f"no cell can be scored; {first}")
            log.warning("plane of %s: %d cells cannot be scored; %s", revision.name, len(failures), first)
        points = {cell: round(100 * score.value, 4) for cell, score in scores.items()}
        return {task.name: [points.get(Cell(layer, task)) for layer in plane.layers] for task in self._suite.tasks}

    def values(self, column: ColumnValues) -> dict[str, float]:
        tasks = {task: [value for value in layers if value is not None] for task, layers in column.items()}
        values = {f"plane/{task}": max(layers) for task, layers in tasks.items() if layers}
        objective = {layer: value for layer, value in enumerate(self._objective(column)) if value is not None}
        if objective:
            best = max(objective, key=lambda layer: objective[layer])
            values |= {"plane/best": objective[best], "plane/best_layer": float(best)}
        return values | {f"plane/objective/{layer_name(layer)}": value for layer, value in objective.items()}

    def show(self, trainer: Trainer, step: int) -> None:
        values = self.values(self.columns[step])
        if "plane/best" in values:
            best = f"best {values['plane/best']:.2f} at layer {values['plane/best_layer']:.0f}"
            of = "" if self.tasks.items == ALL else f", {self.tasks.items} of their items"
            print(f"plane at step {step:,}: {best} ({len(self._suite.tasks)} tasks{of})", file=sys.stderr, flush=True)
        boards: list[Any] = [getattr(logger, "experiment", None) for logger in trainer.loggers]
        boards = [board for board in boards if hasattr(board, "add_image")]  # TensorBoard's; others get the numbers
        if boards:
            from tl_search.figures.growing_plane import growing_plane_picture

            picture = growing_plane_picture({at: self._objective(these) for at, these in sorted(self.columns.items())})
            for board in boards:
                board.add_image("plane/picture", picture, trainer.global_step, dataformats="HWC")

    def _objective(self, column: ColumnValues) -> list[float | None]:
        """The objective of each layer; None where a task could not be scored."""
        layers = [dict(zip(column, scores, strict=True)) for scores in zip(*column.values(), strict=True)]
        return [None if None in scores.values() else combine(self._weights, scores) for scores in layers]
