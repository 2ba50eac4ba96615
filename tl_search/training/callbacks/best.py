"""What counts as a run's best evaluation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Mode(Enum):
    """Whether less is better, as with a loss, or more, as with a score."""

    min = "min"
    max = "max"


@dataclass(frozen=True)
class Best:
    """Keeps the full state and a loadable model of the best evaluation, whether its step is scheduled or not.

    Args:
        monitor: The measurement that decides, by the name under which it is published.
        mode: Whether less or more is better.
        min_delta: By how much an evaluation must be better than the best before it, at least; equal is not better.
        save_top_k: Full states that are kept, best first; the loadable model is the best one's.
        name: Of the model's folder, `revisions/NAME`; None takes the entry's own name under `callbacks`.
    """

    monitor: str = "eval/loss"
    mode: Mode = Mode.min
    min_delta: float = 0.0
    save_top_k: int = 1
    name: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_delta < float("inf"):
            raise ValueError(f"min_delta: must be a finite number >= 0, got {self.min_delta}")
        if self.save_top_k < 1:
            raise ValueError(f"save_top_k: must be >= 1, got {self.save_top_k}")
        if self.name is not None:
            check_name(self.name)

    def better(self, value: float, best: float) -> bool:
        """Whether a value beats the best before it."""
        gain = best - value if self.mode is Mode.min else value - best
        return gain > 0 and gain >= self.min_delta

    def rank(self, value: float) -> float:
        """A key that sorts the best value first."""
        return value if self.mode is Mode.min else -value


def check_name(name: str) -> None:
    """Raises ValueError when a folder of that name would not be this callback's alone."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or re.fullmatch(r"main|last|rewound|(.*-)?step-?\d+", name):
        raise ValueError(f"name: must be letters, digits, dashes, but not main, last, rewound or stepN, got {name!r}")


def check_entries(entries: Mapping[str, Any]) -> None:
    """Raises ValueError naming the entry of `callbacks` whose folder is another's, too."""
    owners: dict[str, str] = {}
    for key, entry in entries.items():
        if not isinstance(entry, Best):
            continue
        name = entry.name or key
        try:
            check_name(name)
        except ValueError as error:
            raise ValueError(f"callbacks.{key}.{error}") from error
        if name in owners:
            raise ValueError(f"callbacks.{key}.name: must be another than callbacks.{owners[name]}'s, got {name!r}")
        owners[name] = key
