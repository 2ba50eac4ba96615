"""The measurement by which arms are compared: its name, and whether less or more of it is better."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_search.errors.nearest import did_you_mean
from tl_search.report.branch_curves import EVAL_LOSS, BranchCurves
from tl_search.runs.layout import RunPaths
from tl_search.runs.settings import read_settings

MODES = ("min", "max")
_LESS = re.compile(r"loss|perplexity|error|ppm")
_MORE = re.compile(r"accuracy|precision|recall|score|plane/best")


@dataclass(frozen=True)
class Metric:
    """A measurement.

    Args:
        name: As it is logged: `eval/loss`, `eval/clean/peptide_accuracy`.
        mode: `min` where less is better, `max` where more is.
    """

    name: str = EVAL_LOSS
    mode: str = "min"

    @property
    def label(self) -> str:
        """In a sentence."""
        return "eval loss" if self.name == EVAL_LOSS else self.name

    @property
    def unit(self) -> str:
        return "nats per token" if self.name == EVAL_LOSS else ""

    @property
    def extreme(self) -> str:
        """What the best value is called."""
        return "lowest" if self.mode == "min" else "highest"

    def best(self, values: Iterable[float]) -> float:
        return min(values) if self.mode == "min" else max(values)

    def is_better(self, difference: float) -> bool:
        """Whether a value that is larger by `difference` is better."""
        return difference < 0 if self.mode == "min" else difference > 0

    def reaches(self, value: float, threshold: float) -> bool:
        return value <= threshold if self.mode == "min" else value >= threshold


def metric_of(name: str, mode: str | None, runs: Mapping[Path, BranchCurves]) -> Metric:
    """The measurement of this name.

    Which way is better says `mode`; without it, the callback `Best` that watches the measurement in one of the runs,
    and else its name.

    Raises:
        ValueError: no run has measured it, or nothing says which way is better.
    """
    known = sorted({found for curves in runs.values() for found in curves.values})
    if runs and name not in known:
        evals = [found for found in known if not found.startswith(("train/", "curriculum/"))]
        if not evals and name == EVAL_LOSS:
            run = next(iter(runs))
            raise ValueError(f"runs: must have eval losses, got {run}, which has none (data.validation_share=0?)")
        told = f" (measured: {', '.join(evals) or 'nothing'})"
        alike = [found for found in evals if found.rpartition("/")[2] == name]  # its name without the set
        near = f"; did you mean {' or '.join(alike)}?" if alike else did_you_mean(name, known)
        raise ValueError(f"metric: no run has measured {name}{near}{told}")
    found = mode or _watched(name, runs) or _by_name(name)
    if found is None:
        raise ValueError(f"mode: must be given for metric={name}: min where less is better, max where more is")
    return Metric(name, found)


def _watched(name: str, runs: Iterable[Path]) -> str | None:
    """How the callbacks of the runs that watch the measurement take it."""
    for run in runs:
        config: Any = read_settings(run) if RunPaths(run).config.is_file() else {}
        for entry in (config.get("callbacks") or {}).values():
            if entry is not None and entry.get("monitor") == name and entry.get("mode") in MODES:
                return str(entry["mode"])
    return None


def _by_name(name: str) -> str | None:
    leaf = name.rpartition("/")[2]
    if _LESS.search(leaf):
        return "min"
    return "max" if _MORE.search(leaf) or _MORE.search(name) else None
