"""Label-free metrics of every layer, measured while a model trains."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from tl_search.plane.arm import Plane
from tl_search.plane.extraction import Extraction
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import layer_name
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.scoring.suites import Suite
from tl_search.search.live_columns import ColumnValues, LiveColumns
from tl_search.search.measure import RULES, ColumnMeasurements, draw_texts
from tl_search.search.pace import Pace
from tl_search.search.prefetch import Prefetch


class LiveMetrics(LiveColumns):
    """Measures a column and publishes `metrics/<name>/layer_003`.

    Args:
        pace: Which steps are due, and how much time there is.
        extraction: How texts become vectors.
        probe: Where the forward passes run.
        tasks: The suite from whose training texts a sample is drawn.
        metrics: What is measured, and of how many texts.
    """

    noun, entry = "metrics", "representation_metrics"

    def __init__(
        self, pace: Pace, extraction: Extraction, probe: ProbeConfig, tasks: Suite, metrics: MetricsConfig
    ) -> None:
        super().__init__(pace, extraction, probe)
        self.tasks, self.metrics = tasks, metrics

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._folder = Path(trainer.default_root_dir) / "cache" / "metrics"
        super().setup(trainer, pl_module, stage)

    def prepare(self) -> None:
        self._texts = draw_texts(self.tasks.training_texts(), self.metrics)

    def identity(self) -> dict[str, Any]:
        return {"corpus": self._texts.hash, "options": self.metrics.identity(), "rules": RULES}

    def measure(self, plane: Plane, folder: Path) -> ColumnValues:
        revision = plane.revisions[0]
        given = (self.metrics, self.session, Prefetch(lambda _: folder), self._folder)
        measurements = ColumnMeasurements(plane, self._texts, *given)
        failures = measurements.measure([revision])
        if failures:
            raise ValueError(failures[revision.name])
        layers = [measurements.read(revision, layer).metrics for layer in plane.layers]
        return {name: [measured[name] for measured in layers] for name in self.metrics.measures}

    def values(self, column: ColumnValues) -> dict[str, float]:
        return {
            f"metrics/{name}/{layer_name(layer)}": value
            for name, layers in column.items()
            for layer, value in enumerate(layers)
            if value is not None
        }
