"""One row per run, for tables of many: how far it is, and what it found. A damaged run has a row that says so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tl_search.plane.arm_name import ArmName
from tl_search.plane.share import ALL
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.outcome import Interval, Outcome
from tl_search.runs.pulls import BanditState
from tl_search.runs.record import RunRecord
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.runs.state import DAMAGED, DONE, state_of
from tl_search.store.outside import read_json
from tl_search.store.typed_json import fitting, to_plain


@dataclass(frozen=True)
class Row:
    """A run in a table. What it does not have, or has not yet, is None or empty.

    Args:
        run: Its directory, as it was named.
        command: train, search or run.
        state: done, running, stopped, diverged or damaged.
        error: What is damaged, in one line.
        like: What two runs must have in common for their scores to be comparable, as JSON.
        tasks: What the score is the mean of.
        split: The data that it was measured on.
        model: What was searched.
        policy: Which policy decided; None until it has decided something.
        arm: The best one found; of a search that goes on, the one that it recommends now.
        step: Of the arm; of a training, its last.
        score: The arm's confirmed score, in points.
        interval: Of the score.
        confidence: Level of the interval.
        cost_seconds: Search and confirmation, in seconds of the cost table.
        cost_share: The same as a share of the exhaustive cost.
        pulls: Decisions made.
        skipped: Cells that could not be scored.
        eval_loss: Of a training: the lowest of its revisions, in nats per token.
        revisions: How many it has written, or has on its plane.
        seed: Random seed.
        tags: Words that the person gave it.
        changed: When one of its records was last written.
    """

    run: Path
    command: str | None = None
    state: str = DAMAGED
    error: str | None = None
    like: str | None = None
    tasks: tuple[str, ...] = ()
    split: str | None = None
    model: str | None = None
    policy: str | None = None
    arm: ArmName | None = None
    step: int | None = None
    score: float | None = None
    interval: Interval | None = None
    confidence: float | None = None
    cost_seconds: float | None = None
    cost_share: float | None = None
    pulls: int | None = None
    skipped: int | None = None
    eval_loss: float | None = None
    revisions: int | None = None
    seed: int | None = None
    tags: tuple[str, ...] = field(default=())
    changed: datetime | None = None

    @property
    def is_training(self) -> bool:
        return self.command == "train"

    def __add__(self, facts: Mapping[str, Any]) -> "Row":
        return replace(self, **facts)


def is_run(folder: Path) -> bool:
    """Whether a command has begun a run there: one that was stopped at once, or lost files, is one too."""
    paths = RunPaths(folder)
    marks = (paths.record, paths.plane, paths.index, paths.done, paths.config, paths.result, paths.lock)
    return any(mark.exists() for mark in marks)


def read_row(run: Path) -> Row:
    """What the files of a run say; of a damaged one, as much as can be read."""
    paths = RunPaths(run)
    row = Row(run, "search" if paths.is_search else "train" if paths.is_training else None, changed=_changed(run))
    for part in (_identity, _state, _found):
        try:
            row += part(row)
        except (ValueError, OSError, ArithmeticError) as error:
            row += {"error": row.error or _one_line(error)}
    return row if row.error is None else row + {"state": DAMAGED, "arm": None, "score": None, "interval": None}


def _identity(row: Row) -> Mapping[str, Any]:
    record = RunRecord.read(row.run)
    if record is None:
        return {}
    tags = read_json(RunPaths(row.run).record).get("tags") or ()
    return {
        "command": record.command,
        "seed": record.seed,
        "tags": tuple(map(str, tags)) if isinstance(tags, list | tuple) else (str(tags),),
    }


def _state(row: Row) -> Mapping[str, Any]:
    return {"state": state_of(row.run)}


def _found(row: Row) -> Mapping[str, Any]:
    paths = RunPaths(row.run)
    if paths.is_search:
        return _searched(row)
    if row.is_training:
        return _trained(row)
    if row.state == DONE:
        raise ValueError(f"{paths.plane}: missing, though the run is done")
    return {}


def _trained(row: Row) -> Mapping[str, Any]:
    record, lines = RunRecord.read(row.run), read_index(row.run)
    if row.state == DONE and not lines:
        raise ValueError(f"{RunPaths(row.run).index}: has no revision, though the run is done")
    losses = [line.eval_loss for line in lines if line.eval_loss is not None]
    plan = (record.plan if record else None) or {}
    with fitting(RunPaths(row.run).record):
        held_out = {key: plan[part][key] for part, key in _HELD_OUT if key in plan.get(part, {})}
    return {
        "like": json.dumps([dict(record.data), held_out], sort_keys=True) if record and record.data else None,
        "step": lines[-1].step if lines else None,
        "eval_loss": min(losses, default=None),
        "revisions": len(lines),
    }


# What an eval loss depends on beside the text and the tokenizer.
_HELD_OUT = (("data", "validation_share"), ("data", "validation_batches"), ("model", "context"))


def _searched(row: Row) -> Mapping[str, Any]:
    """In two steps, so that a damaged result leaves what was searched."""
    plane = SearchedPlane.read(row.run)
    tasks = sorted(
        ({**to_plain(replace(task, items=ALL)), "split": None} for task in plane.tasks), key=lambda task: task["name"]
    )
    known: dict[str, Any] = {
        "tasks": tuple(sorted(task.name for task in plane.tasks)),
        "split": plane.confirmation_split,
        "model": plane.model,
        "revisions": len(plane.revisions),
        "like": json.dumps(
            [tasks, dict(plane.weights), plane.confirmation_splits or plane.confirmation_split, plane.same_split],
            sort_keys=True,
        ),
    }
    if not plane.tasks:
        return known
    try:
        return known | _answer(row, plane, known["like"])
    except (ValueError, ArithmeticError) as error:
        return known | {"error": row.error or _one_line(error)}


def _answer(row: Row, plane: SearchedPlane, like: str) -> dict[str, Any]:
    paths, outcome = RunPaths(row.run), Outcome.read(row.run)
    if outcome is None and row.state == DONE:
        raise ValueError(f"{paths.result}: missing, though the search is done; the same command makes it again")
    state = BanditState.read(row.run) if paths.bandit_state.exists() else None
    told = state.trajectory[-1].recommended.arm if state and state.trajectory else None
    arm = outcome.named.arm if outcome else told
    with fitting(paths.result if outcome else paths.bandit_state):
        step = None if arm is None else plane.revisions[plane.at(arm)[0]].step
    found: dict[str, Any] = {
        "policy": outcome.searched.policy if outcome and outcome.searched else state.policy if state else None,
        "arm": arm,
        "step": step,
        "pulls": outcome.pulls if outcome else len(state.trajectory) if state else None,
    }
    if outcome is None:
        return found
    confirmed = outcome.named.confirmation
    return found | {
        "like": json.dumps([like, sorted(outcome.left_out)]) if outcome.left_out else like,
        "tasks": tuple(name for name in sorted(plane.weights) if name not in outcome.left_out),
        "score": confirmed.objective,
        "interval": confirmed.interval,
        "confidence": outcome.confidence,
        "cost_seconds": outcome.cost.search.total + outcome.cost.confirmation.total,
        "cost_share": outcome.cost.whole_share,
        "skipped": len(outcome.skipped),
    }


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _changed(run: Path) -> datetime | None:
    paths = RunPaths(run)
    files = (paths.done, paths.result, paths.pulls, paths.index, paths.record, run)
    times = [file.stat().st_mtime for file in files if file.exists()]
    return datetime.fromtimestamp(max(times)).astimezone() if times else None
