"""The settings of the callbacks that measure all layers of a model while it trains.

A config names these classes, so the module is quick to import. The callbacks are in `live_plane` and `live_metrics`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Mean, Objective
from tl_search.probe.config import ProbeConfig
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.scoring.suites import Suite
from tl_search.search.pace import Pace

if TYPE_CHECKING:
    from lightning.pytorch import Callback


@dataclass(frozen=True, kw_only=True)
class Live(Pace):
    """A callback that measures columns while they are made. It does not change a single bit of the trained weights.

    Args:
        tasks: The suite; its confirmation data are not used.
        extraction: How texts become vectors.
        probe: Device and batch size. A copy of the base model is kept on the CPU, and on the device while measuring.
    """

    tasks: Suite
    extraction: Extraction = field(default_factory=Extraction)
    probe: ProbeConfig = field(default_factory=ProbeConfig)

    DECIDES: ClassVar = {"files": "tasks extraction probe"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.probe.devices != 1:
            raise ValueError(f"probe.devices: must be 1, since the training uses the others, got {self.probe.devices}")


@dataclass(frozen=True, kw_only=True)
class PlaneProbe(Live):
    """Scores a suite's selection data on all layers, into the ledger of all searches; publishes `plane/best`.

    With `tasks.items` it scores that share of them, as a search with the same setting does.

    A search of the run with the same tasks and extraction finds these cells scored.

    Args:
        objective: How the scores of the tasks are combined into one number.
        ledger: Folder of all scores, shared with searches.
        embeddings: Folder of all vectors, shared with searches.
    """

    objective: Objective = field(default_factory=Mean)
    ledger: Path = Path("runs/ledger")
    embeddings: Path = Path("runs/embeddings")

    DECIDES: ClassVar = {"files": "objective", "free": "ledger embeddings"}
    PUBLISHES: ClassVar = "plane/"  # how the names of its measurements begin

    def start(self) -> "Callback":
        from tl_search.search.live_plane import LivePlane

        return LivePlane(self, self.extraction, self.probe, self.tasks, self.objective, self.ledger, self.embeddings)


@dataclass(frozen=True, kw_only=True)
class RepresentationMetrics(Live):
    """Measures all layers without labels, on a seeded draw of its training texts; logs `metrics/rankme/layer_003`.

    It writes the same files as a search, into `cache/metrics` of the training run.

    Args:
        metrics: What is measured, and on how many texts. `every` and the schedule say which columns are measured.
    """

    metrics: MetricsConfig

    DECIDES: ClassVar = {"files": "metrics"}
    PUBLISHES: ClassVar = "metrics/"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metrics.only:
            raise ValueError("metrics.only: must be false, since it is only for searches, got true")
        if self.metrics.columns is not Columns.all:
            got = self.metrics.columns.value
            raise ValueError(f"metrics.columns: must be all (for fewer steps, give every=STEPS), got {got}")

    def start(self) -> "Callback":
        from tl_search.search.live_metrics import LiveMetrics

        return LiveMetrics(self, self.extraction, self.probe, self.tasks, self.metrics)
