"""What one branch has measured, by step, and where its stages begin: read from its index and its TensorBoard files."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tl_search.report.event_files import read_curves
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import RunRecord

EVAL_LOSS = "eval/loss"
_STAGE, _TOKENS = "curriculum/stage", "train/tokens_seen"  # names of curves


@dataclass(frozen=True)
class BranchCurves:
    """One branch, from the step at which it begins.

    Args:
        values: Measurement → step → its value.
        lowest: The lowest eval loss that its index knows, also of a step that nothing else recorded.
        tokens: Step → training tokens seen, where they were recorded.
        stages: First step → name of each stage that begins at the branch or after it. The branch itself is one where a
            stage begins at its very step, or weights or data parameters are other than those which held in the parent.
    """

    values: Mapping[str, Mapping[int, float]]
    lowest: float | None
    tokens: Mapping[int, int]
    stages: Mapping[int, str]


def read_branch(run: Path, record: RunRecord) -> BranchCurves:
    """Read the curves of a branch, whose record this is.

    A value is taken from the index of revisions, where it has all its digits, and else from TensorBoard's files.
    """
    assert record.parent is not None
    step = record.parent.step
    logged = {
        name: {at: value for at, value in curve.items() if at >= step}
        for name, curve in read_curves(RunPaths(run).tensorboard).items()
    }
    lines = [line for line in read_index(run) if line.step >= step]
    values: dict[str, dict[int, float]] = {name: dict(curve) for name, curve in logged.items()}
    for line in lines:
        for name, value in {EVAL_LOSS: line.eval_loss, **line.measured}.items():
            if value is not None:
                values.setdefault(name, {})[line.step] = value
    tokens = {at: round(value) for at, value in logged.get(_TOKENS, {}).items()}
    tokens |= {line.step: line.tokens for line in lines if line.tokens is not None}
    reached = max((at for curve in values.values() for at in curve), default=step)
    return BranchCurves(
        {name: dict(sorted(curve.items())) for name, curve in values.items() if curve},
        min((line.best for line in lines if line.best is not None), default=None),
        tokens,
        _stages(record, logged.get(_STAGE, {}), reached),
    )


def _stages(record: RunRecord, curve: Mapping[int, float], reached: int) -> dict[int, str]:
    """Where stages begin: at the points where the curve of the stage changes; without one, where they were planned."""
    assert record.parent is not None
    assert record.plan is not None
    step, planned = record.parent.step, list(record.plan["curriculum"]["stages"].values())
    points = sorted(curve.items())
    changes = {at for (_, before), (at, value) in pairwise(points) if value != before}
    named = {int(stage["start"]): str(stage["name"]) for stage in planned}
    starts = changes if points else {start for start in named if step < start <= reached}
    found = {start: named[start] for start in sorted(starts) if start in named}
    held, first = record.parent.stage, max((one for one in planned if one["start"] <= step), key=_start, default=None)
    passed = (record.plan.get("branch") or {}).get("on_restore") == "skip_passed"
    if first is None or passed or (_start(first) < step and _what_holds(first) == _what_holds(held)):
        return found
    return {step: str(first["name"]), **found}


def _start(stage: Mapping[str, Any]) -> int:
    return int(stage["start"])


def _what_holds(stage: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Weights and data parameters of a stage in a record; a weight of 0 is none."""
    weights = stage.get("losses") or stage.get("weights") or {}
    return {name: weight for name, weight in weights.items() if weight}, dict(stage.get("data") or {})
