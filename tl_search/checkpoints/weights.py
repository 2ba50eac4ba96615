"""What the Hub lists of a model's weights: whether shards are missing, and whether their kind and size are allowed."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tl_search.checkpoints.quota import GB

log = logging.getLogger(__name__)


def check_weights(
    repository: str, kinds: Mapping[str, Mapping[str, Any]], allow_pickle: bool, cache_gb: float | None
) -> None:
    """Raises ValueError if the weights of a revision are of a kind or size that the settings do not allow.

    Args:
        kinds: Revision → file of weights → what the Hub says of it.
        allow_pickle, cache_gb: As in `HubCheckpoints`.
    """
    pickles = [name for name, weights in kinds.items() if any(file.endswith(".bin") for file in weights)]
    if pickles:
        told = f"{', '.join(pickles[:4])}{f' and {len(pickles) - 4} more' if len(pickles) > 4 else ''}"
        if not allow_pickle:
            raise ValueError(
                f"checkpoints.allow_pickle: must be true for {repository}, whose weights are only published as .bin "
                f"files (in {told})"
            )
        log.warning("%s: only tensors are read from its .bin files (weights_only): %s", repository, told)
    if cache_gb is not None and kinds:
        sizes = {name: sum(file.size or 0 for file in weights.values()) / GB for name, weights in kinds.items()}
        largest = max(sizes, key=sizes.__getitem__)
        if sizes[largest] > cache_gb:
            raise ValueError(
                f"checkpoints.cache_gb: must be at least {sizes[largest]:.3g}, the size of {largest}, got {cache_gb:g}"
            )


def gap(weights: Iterable[str]) -> str:
    """Which files of weights in shards are missing, by the number that their names tell; empty if none is."""
    shards = [found for name in weights if (found := re.search(r"-(\d+)-of-(\d+)\.", name))]
    if not shards:
        return ""
    missing = {*range(1, int(shards[0][2]) + 1)} - {int(found[1]) for found in shards}
    return f"of {int(shards[0][2])} files number {', '.join(map(str, sorted(missing)[:4]))}" if missing else ""
