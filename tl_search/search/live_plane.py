"""The plane as it grows by a column at every checkpoint: numbers to watch, and a picture."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from tl_search.plane.arm import Plane
from tl_search.plane.objective import combine
from tl_search.plane.revision import Revision
from tl_search.probe.config import settled
from tl_search.scoring.ledger import Ledger
from tl_search.search.column import Cell, Workshop
from tl_search.search.live import PlaneProbe
from tl_search.search.live_columns import Column, LiveColumns
from tl_search.search.live_picture import plane_picture
from tl_search.search.texts import SuiteTexts
from tl_search.store.arrays import ArrayStore


class LivePlane(LiveColumns):
    """Scores every cell of a column and publishes, in points,

    - `plane/best`, the objective of the best layer, and `plane/best_layer`;
    - `plane/<task>`, the score of the layer that is best on this task;
    - `plane/objective/layer_03`, every layer's objective;

    and draws `plane/picture`, the objective of all columns so far.

    Args:
        config: What is scored.
    """

    def __init__(self, config: PlaneProbe) -> None:
        super().__init__(config, settled(config.extraction, config.probe.accelerator), "plane")
        self.config = config

    def prepare(self) -> None:
        tasks = self.config.tasks
        self._suite = SuiteTexts(tasks.selection(), tasks.texts(tasks.selection_split, self.config.ledger / "texts"))
        self._weights = self.config.objective.weights(self._suite.tasks)

    def measure(self, plane: Plane, folder: Path) -> Column:
        ledger, embeddings = Ledger(self.config.ledger), ArrayStore(self.config.embeddings)
        workshop = Workshop(_Folder(plane, folder), plane, self._suite, self.config.probe, embeddings, ledger)
        cells = [Cell(layer, task) for task in self._suite.tasks for layer in plane.layers]
        scores = workshop.run_column(plane.revisions[0], tuple(cells)).scores
        points = {cell: round(100 * score.value, 4) for cell, score in scores.items()}
        return {task.name: [points.get(Cell(layer, task)) for layer in plane.layers] for task in self._suite.tasks}

    def values(self, column: Column) -> dict[str, float]:
        tasks = {task: [value for value in layers if value is not None] for task, layers in column.items()}
        values = {f"plane/{task}": max(layers) for task, layers in tasks.items() if layers}
        objective = {layer: value for layer, value in enumerate(self._objective(column)) if value is not None}
        if objective:
            best = max(objective, key=lambda layer: objective[layer])
            values |= {"plane/best": objective[best], "plane/best_layer": float(best)}
        return values | {f"plane/objective/layer_{layer:02d}": value for layer, value in objective.items()}

    def show(self, trainer: Trainer, step: int) -> None:
        values = self.values(self.columns[step])
        if "plane/best" in values:
            best = f"best {values['plane/best']:.2f} at layer {values['plane/best_layer']:.0f}"
            print(f"plane at step {step:,}: {best} ({len(self._suite.tasks)} tasks)", file=sys.stderr, flush=True)
        objectives = {step: self._objective(column) for step, column in sorted(self.columns.items()) if column}
        for logger in trainer.loggers:
            board: Any = getattr(logger, "experiment", None)
            if hasattr(board, "add_image"):  # TensorBoard's; other loggers get the numbers
                board.add_image("plane/picture", plane_picture(objectives), trainer.global_step, dataformats="HWC")

    def _objective(self, column: Column) -> list[float | None]:
        """Of each layer; None where a task could not be scored."""
        layers = [dict(zip(column, scores, strict=True)) for scores in zip(*column.values(), strict=True)]
        return [None if None in scores.values() else combine(self._weights, scores) for scores in layers]


@dataclass(frozen=True)
class _Folder:
    """A source of one revision, which is in memory or just verified."""

    plane: Plane
    folder: Path

    @property
    def model(self) -> str:
        return self.plane.model

    def revisions(self) -> tuple[Revision, ...]:
        return self.plane.revisions

    def fetch(self, revision: Revision) -> Path:
        return self.folder

    def shape(self) -> Any:
        from tl_search.checkpoints.source import shape_of

        return shape_of(self.folder)
