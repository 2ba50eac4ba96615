"""The plane while it grows: what training may measure at every layer of its checkpoints, and how much time it may take.

Quick to import: a config names its classes. What they start is in `live_plane` and `live_metrics`.
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
    """What looks at columns while they are made. The weights are those of a run without it, to the last bit.

    A copy of the base model stays on the CPU, and on the probe's device during a look.
    """

    tasks: Suite
    extraction: Extraction = field(default_factory=Extraction)
    probe: ProbeConfig = field(default_factory=ProbeConfig)

    DECIDES: ClassVar = {"files": "tasks extraction probe"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.probe.devices != 1:
            raise ValueError(f"probe.devices: must be 1, since training has the others, got {self.probe.devices}")


@dataclass(frozen=True, kw_only=True)
class PlaneProbe(Live):
    """Scores a suite's selection data on all layers, into the ledger of all searches; publishes `plane/best`.

    A search of the run with the same tasks and extraction finds these cells scored.
    """

    objective: Objective = field(default_factory=Mean)
    ledger: Path = Path("runs/ledger")
    embeddings: Path = Path("runs/embeddings")

    DECIDES: ClassVar = {"files": "objective", "free": "ledger embeddings"}

    def start(self) -> "Callback":
        from tl_search.search.live_plane import LivePlane

        return LivePlane(self, self.extraction, self.probe, self.tasks, self.objective, self.ledger, self.embeddings)


@dataclass(frozen=True, kw_only=True)
class RepresentationMetrics(Live):
    """Measures all layers without labels, on a seeded draw of its training texts; logs `metrics/rankme/layer_003`.

    The files are those that a search leaves below `cache/metrics`, in the training run's own folder.

    Args:
        metrics: What is measured, and of how many texts. Which columns are is said by `every` and the schedule.
    """

    metrics: MetricsConfig

    DECIDES: ClassVar = {"files": "metrics"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metrics.only:
            raise ValueError("metrics.only: must be false, since it is a search that ends there, got true")
        if self.metrics.columns is not Columns.all:
            got = self.metrics.columns.value
            raise ValueError(f"metrics.columns: must be all (for fewer steps, give every=STEPS), got {got}")

    def start(self) -> "Callback":
        from tl_search.search.live_metrics import LiveMetrics

        return LiveMetrics(self, self.extraction, self.probe, self.tasks, self.metrics)
