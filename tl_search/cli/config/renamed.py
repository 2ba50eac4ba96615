"""Classes that have moved to another module: older configs and runs name them by their old paths."""

from collections.abc import Mapping
from typing import Any

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


def current(target: str) -> str:
    """The name that a class has now."""
    return NOW.get(target, target)


def first_named(tree: Any) -> Any:
    """A config with every class under its first name: digests made of it do not change when a class moves."""
    if isinstance(tree, Mapping):
        return {key: _FIRST.get(item, item) if key == "_target_" else first_named(item) for key, item in tree.items()}
    return [first_named(item) for item in tree] if isinstance(tree, list) else tree
