"""The settings of the best checkpoint: the measurement, and when a value is a new best."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from tl_search.errors.limits import LARGEST_RATE, between, not_negative


class Mode(Enum):
    """Whether less is better (min, for a loss) or more is better (max, for a score)."""

    min = "min"
    max = "max"


@dataclass(frozen=True)
class Best:
    """Keeps the full training state and a loadable model of the best evaluation, also at a step without a revision.

    Args:
        monitor: Name of the measurement by which evaluations are compared.
        mode: Whether less or more is better.
        min_delta: A new best must be better by at least this, in the measurement's unit; equal is never better.
        save_top_k: How many of the best full states are kept; the loadable model is that of the best one.
        name: The model's folder is `revisions/NAME`; None takes the entry's own name under `callbacks`.
    """

    monitor: str = "eval/loss"
    mode: Mode = Mode.min
    min_delta: float = 0.0
    save_top_k: int = 1
    name: str | None = None

    DECIDES: ClassVar = {"files": "monitor mode min_delta save_top_k name"}

    def __post_init__(self) -> None:
        not_negative(LARGEST_RATE, min_delta=self.min_delta)
        between(1, 10**6, save_top_k=self.save_top_k)
        if self.name is not None:
            check_folder_name(self.name)

    def better(self, value: float, best: float) -> bool:
        """Whether a value is a new best."""
        gain = best - value if self.mode is Mode.min else value - best
        return gain > 0 and gain >= self.min_delta

    def rank(self, value: float) -> float:
        """A sort key: the best value comes first."""
        return value if self.mode is Mode.min else -value


def check_folder_name(name: str) -> None:
    """Raises ValueError when something else may use a folder of that name."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or re.fullmatch(r"main|last|rewound|(.*-)?step-?\d+", name):
        raise ValueError(f"name: must be letters, digits, dashes, but not main, last, rewound or stepN, got {name!r}")


def check_entries(entries: Mapping[str, Any]) -> None:
    """Raises ValueError when two entries of `callbacks` would use the same folder."""
    owners: dict[str, str] = {}
    for key, entry in entries.items():
        if not isinstance(entry, Best):
            continue
        name = entry.name or key
        try:
            check_folder_name(name)
        except ValueError as error:
            raise ValueError(f"callbacks.{key}.{error}") from error
        if name in owners:
            raise ValueError(
                f"callbacks.{key}.name: must be another name than that of callbacks.{owners[name]}, got {name!r}"
            )
        owners[name] = key
