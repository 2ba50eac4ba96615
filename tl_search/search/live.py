"""The plane while it grows: cheap tasks at every layer of every checkpoint, scored during training.

Quick to import: a config names its class.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Mean, Objective
from tl_search.probe.config import ProbeConfig
from tl_search.scoring.suites import Suite
from tl_search.search.pace import Pace

if TYPE_CHECKING:
    from lightning.pytorch import Callback


@dataclass(frozen=True, kw_only=True)
class PlaneProbe(Pace):
    """Scores a suite's selection data on all layers, into the ledger of all searches; publishes `plane/best`.

    A search of the run with the same tasks and extraction finds these cells scored. The weights are those that the
    run has without it, to the last bit.

    Args:
        tasks: Its selection split; confirmation data stay unseen.
        extraction: How texts become vectors.
        probe: Device and batch size; a copy of the base model stays on the CPU, and on the device during a look.
        objective: How tasks add up.
        ledger: Folder of all scores, shared with searches.
        embeddings: Folder of all vectors, shared with searches.
    """

    tasks: Suite
    extraction: Extraction = field(default_factory=Extraction)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    objective: Objective = field(default_factory=Mean)
    ledger: Path = Path("runs/ledger")
    embeddings: Path = Path("runs/embeddings")

    def start(self) -> "Callback":
        from tl_search.search.live_plane import LivePlane

        return LivePlane(self)
