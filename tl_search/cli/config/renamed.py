"""Classes that have moved: a config or a run that was written before names them as they were called then."""

from collections.abc import Mapping
from typing import Any

# The name under which a class was first written to disk → the one that it has now.
NOW: Mapping[str, str] = {
    "tl_search.training.corpus.StdlibText": "tl_search.text.corpus.StdlibText",
    "tl_search.training.corpus.TextFiles": "tl_search.text.corpus.TextFiles",
    "tl_search.training.corpus.HubDataset": "tl_search.text.corpus.HubDataset",
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
