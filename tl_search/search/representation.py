"""What layers measure without labels while training goes on. Quick to import: a config names its class."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tl_search.plane.extraction import Extraction
from tl_search.probe.config import ProbeConfig
from tl_search.probe.metrics.config import MetricsConfig
from tl_search.scoring.suites import Suite
from tl_search.search.pace import Pace

if TYPE_CHECKING:
    from lightning.pytorch import Callback


@dataclass(frozen=True, kw_only=True)
class RepresentationMetrics(Pace):
    """Measures every layer on a seeded sample of a suite's selection texts; logs `metrics/rankme/layer_03`.

    The files are those that a search leaves below `cache/metrics`, in the training run's own folder.

    Args:
        tasks: Whose selection texts are sampled.
        metrics: What is measured, and of how many texts; `columns` and `only` are a search's and not looked at.
        extraction: How texts become vectors.
        probe: Device and batch size.
    """

    tasks: Suite
    metrics: MetricsConfig
    extraction: Extraction = field(default_factory=Extraction)
    probe: ProbeConfig = field(default_factory=ProbeConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.metrics.measures:
            raise ValueError("metrics: must have at least one of its measures, got none")

    def start(self) -> "Callback":
        from tl_search.search.live_metrics import LiveMetrics

        return LiveMetrics(self)
