"""What a search run found, read from its files alone.

Every number of a report comes from here. A run without `result.json` is not finished and has no `outcome`. A missing
or damaged file gives an error of one line, which names the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tl_search.plane.arm_name import ArmName
from tl_search.plane.share import ALL
from tl_search.runs.layout import RunPaths
from tl_search.runs.outcome import Outcome
from tl_search.runs.pulls import BanditState, Estimates, Step
from tl_search.runs.record import RunRecord
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.runs.settings import read_settings
from tl_search.store.typed_json import fitting


@dataclass(frozen=True, eq=False)  # equal only to itself, so that its pictures can be kept
class Findings:
    """A search run, finished or not.

    Args:
        folder: The run's folder.
        plane: What was searched.
        policy: Which policy decided.
        trajectory: The pulls, in order.
        mean: Posterior mean of the objective by (revision, layer); None for policies that have no posterior.
        sd: Standard deviation of the posterior.
        stopped: Why the search stopped; None while it is running.
        outcome: The confirmed result; None when the run is not finished.
        checkpoints: Where its revisions come from, as its config says.
        tags: Words that a person gave the run.
    """

    folder: Path
    plane: SearchedPlane
    policy: str
    trajectory: tuple[Step, ...]
    mean: np.ndarray | None
    sd: np.ndarray | None
    stopped: str | None
    outcome: Outcome | None
    name: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    checkpoints: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def best(self) -> ArmName | None:
        """The arm that the answer names, or the one that the policy would recommend now; None before the first pull."""
        if self.outcome:
            return self.outcome.named.arm
        return self.trajectory[-1].recommended.arm if self.trajectory else None

    @property
    def only_final(self) -> bool:
        """Whether a finished search has looked at no other checkpoint than the final one."""
        final = self.plane.revisions[-1].name
        return self.outcome is not None and all(step.arm.revision == final for step in self.trajectory)

    @property
    def reported_on(self) -> str:
        """What the confirmed scores were measured on, in words."""
        if not self.plane.same_split:
            return "held-out data"
        chosen = "the data that it was chosen on" if self.plane.items == ALL else "the data of which a part chose it"
        return f"{chosen}, so too high on average"


def read_findings(folder: Path) -> Findings:
    """Read a search run. Raises ValueError with one line that names the file that is missing or damaged."""
    paths = RunPaths(folder)
    plane, outcome = SearchedPlane.read(folder), Outcome.read(folder)
    state, record = BanditState.read(folder), RunRecord.read(folder)
    with fitting(paths.bandit_state, BanditState.HEALED_BY):
        for step in state.trajectory:
            plane.at(step.arm), plane.at(step.recommended.arm)
        mean, sd = (_array(state.posterior, key, plane.shape) for key in ("mean", "sd"))
    with fitting(paths.result, Outcome.HEALED_BY):
        for arm in outcome.arms() if outcome else ():
            plane.at(arm)
    return Findings(
        folder=folder,
        plane=plane,
        policy=state.policy,
        trajectory=state.trajectory,
        mean=mean,
        sd=sd,
        stopped=state.stopped,
        outcome=outcome,
        name=record.name if record else folder.name,
        seed=record.seed if record else None,
        versions=record.versions if record else {},
        checkpoints=_checkpoints(folder),
        tags=record.tags if record else (),
    )


def _array(estimates: Estimates | None, key: str, shape: tuple[int, int]) -> np.ndarray | None:
    if estimates is None:
        return None
    array = np.array(getattr(estimates, key), dtype=float)
    if array.shape != shape:
        raise ValueError(f"posterior.{key} has shape {array.shape}, the plane has {shape}")
    return array


def _checkpoints(run: Path) -> str | None:
    """`checkpoints.path` of the run's config; None when there is no config or it says nothing of a path."""
    if not RunPaths(run).config.exists():
        return None
    checkpoints = read_settings(run).get("checkpoints")
    found = checkpoints.get("path") if isinstance(checkpoints, Mapping) else None
    return None if found is None else str(found)
