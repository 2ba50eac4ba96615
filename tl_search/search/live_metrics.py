"""Label-free metrics of every layer, measured while a model trains."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from tl_search.plane.arm import Plane
from tl_search.probe.embed import layer_name
from tl_search.search.live import RepresentationMetrics
from tl_search.search.live_columns import Column, LiveColumns
from tl_search.search.measure import RULES, ColumnMeasurements, draw_corpus
from tl_search.search.prefetch import Weights
from tl_search.store.atomic import read_json


class LiveMetrics(LiveColumns):
    """Measures a column and publishes `metrics/<name>/layer_003`.

    Args:
        config: What is measured.
    """

    noun, entry = "metrics", "representation_metrics"

    def __init__(self, config: RepresentationMetrics) -> None:
        super().__init__(config)
        self.config = config

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._folder = Path(trainer.default_root_dir) / "cache" / "metrics"
        super().setup(trainer, pl_module, stage)

    def prepare(self) -> None:
        self._corpus = draw_corpus(self.config.tasks.corpus_texts(), self.config.metrics)

    def identity(self) -> dict[str, Any]:
        return {"corpus": self._corpus.hash, "options": self.config.metrics.identity(), "rules": RULES}

    def measure(self, plane: Plane, folder: Path) -> Column:
        config, revision = self.config, plane.revisions[0]
        given = (config.metrics, self.session, Weights(lambda _: folder), self._folder)
        measurements = ColumnMeasurements(plane, self._corpus, *given)
        failures = measurements.measure([revision])
        if failures:
            raise ValueError(failures[revision.name])
        layers = [read_json(measurements.path(revision, layer))["metrics"] for layer in plane.layers]
        return {name: [measured[name] for measured in layers] for name in config.metrics.measures}

    def values(self, column: Column) -> dict[str, float]:
        return {
            f"metrics/{name}/{layer_name(layer)}": value
            for name, layers in column.items()
            for layer, value in enumerate(layers)
            if value is not None
        }
