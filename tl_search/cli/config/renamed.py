"""Classes that have moved to another module: older configs and runs name them by their old paths."""

from collections.abc import Mapping
from typing import Any

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.scoring.suites import Suite
from tl_search.text.hub import HubDataset
from tl_search.training import limits

# The name under which a class was first written to disk → the one that it has now.
NOW: Mapping[str, str] = {
    "tl_search.plane.schedule.LogSchedule": "tl_search.plane.schedules.log.LogSchedule",
    "tl_search.plane.schedule.LinearSchedule": "tl_search.plane.schedules.linear.LinearSchedule",
    "tl_search.plane.schedule.PythiaSchedule": "tl_search.plane.schedules.pythia.PythiaSchedule",
    "tl_search.plane.schedule.EverySchedule": "tl_search.plane.schedules.every.EverySchedule",
    "tl_search.plane.schedule.ExplicitSchedule": "tl_search.plane.schedules.explicit.ExplicitSchedule",
    "tl_search.plane.schedule.NoSchedule": "tl_search.plane.schedules.none.NoSchedule",
    "tl_search.training.corpus.StdlibText": "tl_search.text.stdlib.StdlibText",
    "tl_search.training.corpus.TextFiles": "tl_search.text.files.TextFiles",
    "tl_search.training.corpus.HubDataset": "tl_search.text.hub.HubDataset",
    "tl_search.training.architecture.Pythia": "tl_search.training.families.pythia.Pythia",
    "tl_search.probe.metrics.config.MetricsConfig": "tl_search.probe.measuring.config.MetricsConfig",
}
_FIRST = {now: first for first, now in NOW.items()}


# Settings that were added later, by the first name of their class, with the value that means what was done before. At
# this value a digest does not know them.
ADDED: Mapping[str, Mapping[str, Any]] = {
    "tl_search.checkpoints.folder.FolderCheckpoints": {"suspects": False},
    "tl_search.checkpoints.run.RunCheckpoints": {"suspects": False},
    "tl_search.scoring.suites.Suite": Suite.ADDED,
    "tl_search.checkpoints.hub.HubCheckpoints": {"suspects": False, "family": None},
    "tl_search.plane.sampling.Sparse": {"first": False},
    "tl_search.plane.sampling.Log": {"first": False},
    "tl_search.plane.sampling.Uniform": {"first": False, "interval": None},
    "tl_search.plane.sampling.Dense": {"first": True},
    "tl_search.plane.curriculum.Curriculum": Curriculum.ADDED,
    "tl_search.plane.curriculum.Stage": Stage.ADDED,
    "tl_search.training.corpus.HubDataset": HubDataset.ADDED,
    "lightning.pytorch.Trainer": limits.ADDED,
}


# Settings that have another name now, by the first name of their class: name now → the name that digests know.
RENAMED: Mapping[str, Mapping[str, str]] = {"tl_search.plane.curriculum.Stage": Stage.FIRST}


def current(target: str) -> str:
    """The name that a class has now."""
    return NOW.get(str(target), target)


def first_named(tree: Any) -> Any:
    """A config as digests know it, so that they stay as they are: every class under its first name, nothing `ADDED`."""
    if isinstance(tree, list):
        return [first_named(item) for item in tree]
    if not isinstance(tree, Mapping):
        return tree
    target = _FIRST.get(str(tree.get("_target_")), tree.get("_target_"))
    added, renamed = ADDED.get(str(target), {}), RENAMED.get(str(target), {})
    kept = {key: item for key, item in tree.items() if key not in added or not limits.is_same(item, added[key])}
    return {renamed.get(key, key): target if key == "_target_" else first_named(item) for key, item in kept.items()}


def renewed(tree: Any) -> Any:
    """Settings that an earlier version recorded, by the names that they have now."""
    if isinstance(tree, list):
        return [renewed(item) for item in tree]
    if not isinstance(tree, Mapping):
        return tree
    names = {first: now for now, first in RENAMED.get(str(tree.get("_target_")), {}).items()}
    return {names.get(key, key): renewed(item) for key, item in tree.items()}
