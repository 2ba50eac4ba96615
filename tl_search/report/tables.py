"""Prints tables of runs: for people, or as CSV and JSON, whose columns are always the same."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tl_search.errors.nearest import did_you_mean
from tl_search.errors.printable import printable
from tl_search.report import sentences as say
from tl_search.report.comparison import Compared, as_word, compare
from tl_search.report.rows import Row
from tl_search.report.table_look import plain_table

TABLE, CSV, JSON = "table", "csv", "json"
FORMATS = (TABLE, CSV, JSON)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def check_format(given: object, unset: bool = False) -> None:
    """Raises ValueError for a format that is none; null may be one."""
    if given not in FORMATS and not (unset and given is None):
        raise ValueError(f"format: must be table, csv or json, got {given!r}{did_you_mean(given, FORMATS)}")


def print_comparison(rows: Sequence[Row], console: Console, form: str = TABLE) -> None:
    """Print one row per run, those with comparable scores together, the best first."""
    groups = compare(rows)
    if form != TABLE:
        print_data([record for number, group in enumerate(groups, 1) for record in _records(group, number)], form)
        return
    told = set[str]()
    for group in groups:
        heading = _heading(group)
        again = "; their data, weights or evaluator are not those of the runs above" if heading in told else ""
        told.add(heading)
        apart = "\n" if group is not groups[0] else ""
        console.print(text(f"{apart}{len(group)} {heading}{again}"), soft_wrap=not console.is_terminal)
        columns = _TRAINING if group[0].row.is_training else _SEARCH
        folder = _common_folder(group)
        said = [{**{name: column(one) for name, column in columns.items()}, "run": _run(one, folder)} for one in group]
        same = _constant(said) if len(group) > 1 else {}
        if folder is not None:
            same = {"folder": str(folder), **same}
        if same:
            each = ", ".join(f"{name} {value}" for name, value in same.items())
            console.print(text(f"The same for all: {each}."), soft_wrap=not console.is_terminal)
        print_rows(said, [name for name in columns if name not in same and any(one[name] for one in said)], console)
    print_damaged(rows, console)
    if any(sum(one.row.score is not None for one in group) > 1 for group in groups):
        alone = "Each interval is of one run alone; where two overlap, the table does not show which run is better."
        console.print(text(f"\n{alone}"), soft_wrap=not console.is_terminal)


def print_rows(said: Sequence[Mapping[str, str]], columns: Iterable[str], console: Console) -> None:
    """Print a table, which is as wide as it needs where no terminal limits it."""
    shown = list(columns)
    table = plain_table(*shown)
    for one in said:
        table.add_row(*(text(one[name]) for name in shown))
    if not console.is_terminal:
        console.width = max(console.width, _width(table, console))
    console.print(table)


def print_damaged(rows: Iterable[Row], console: Console) -> None:
    """Print what is wrong with each run that cannot be read, below a table."""
    for number, error in enumerate(row.error for row in rows if row.error):
        console.print(text(f"{'' if number else chr(10)}Damaged: {error}"), soft_wrap=True)


def print_data(records: Sequence[Mapping[str, Any]], form: str) -> None:
    """Print records, which all have the same keys, as CSV with a header or as a JSON list."""
    if form == JSON:
        print(json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False))
        return
    held = io.StringIO()
    writer = csv.DictWriter(held, list(records[0] if records else facts(Row(Path()))), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: _cell(value) for key, value in record.items()})
    print(held.getvalue(), end="")


def facts(row: Row) -> dict[str, Any]:
    """A run as a record for programs."""
    arm = row.arm
    return {
        "run": str(row.run),
        "command": row.command,
        "state": row.state,
        "revision": arm.revision if arm else None,
        "layer": arm.layer if arm else None,
        "step": row.step,
        "score": row.score,
        "low": row.interval.low if row.interval else None,
        "high": row.interval.high if row.interval else None,
        "confidence": row.confidence,
        "eval_loss": row.eval_loss,
        "tasks": list(row.tasks),
        "split": row.split,
        "model": row.model,
        "policy": row.policy,
        "seed": row.seed,
        "pulls": row.pulls,
        "skipped": row.skipped,
        "cost_share": row.cost_share,
        "cost_seconds": row.cost_seconds,
        "revisions": row.revisions,
        "tags": list(row.tags),
        "changed": row.changed.isoformat(timespec="seconds") if row.changed else None,
        "error": row.error,
    }


def _records(group: Sequence[Compared], number: int) -> Iterable[dict[str, Any]]:
    """Ranks are those of a group, whose scores alone are comparable."""
    for rank, one in enumerate(group, 1):
        value = one.row.eval_loss if one.row.is_training else one.row.score
        place = {"group": number, "rank": None if value is None or one.row.like is None else rank}
        yield place | facts(one.row) | {"sampling": one.sampling, "varied": dict(one.varied)}


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, dict):
        value = " ".join(f"{key}={as_word(item)}" for key, item in value.items())
    # A spreadsheet would carry out a text that begins like a formula, and others name runs, tags and revisions.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _heading(group: Sequence[Compared]) -> str:
    """What the runs are, and by what they are in their order."""
    first = group[0].row
    if first.is_training:
        runs = "training" if len(group) == 1 else "trainings"
        return f"{runs} on {'the same text, best first by the lowest eval loss' if first.like else 'unknown text'}"
    runs = "search" if len(group) == 1 else "searches"
    if first.like is None:
        return f"{runs} whose tasks are not known"
    if not first.tasks:
        return f"{runs} without tasks, which only measured"
    return (
        f"{runs}, best first by the mean score on {say.count(len(first.tasks), 'task')} "
        f"({f'split {first.split}; ' if first.split else ''}scores on other tasks are not comparable): "
        f"{', '.join(first.tasks)}"
    )


def _score(one: Compared) -> str:
    return "" if one.row.score is None else say.points(one.row.score)


def _interval(one: Compared) -> str:
    return say.interval(one.row.interval) if one.row.interval else ""


def _cost(one: Compared) -> str:
    row = one.row
    share = "" if row.cost_share is None else f"{say.percent(row.cost_share)} of all, "
    return f"{share}{say.duration(row.cost_seconds)}" if row.cost_seconds is not None else ""


def _arm(one: Compared) -> str:
    row = one.row
    return "" if row.arm is None else f"{row.arm}{'' if row.score is not None else ' so far'}"


def _optional(value: object) -> str:
    return "" if value is None else str(value)


_Columns = Mapping[str, Callable[[Compared], str]]
_COMMON: _Columns = {"run": lambda one: str(one.row.run), "state": lambda one: one.row.state}
_SEARCH: _Columns = {
    **_COMMON,
    "arm": _arm,
    "score": _score,
    "interval": _interval,
    "confidence": lambda one: "" if one.row.confidence is None else say.percent(one.row.confidence),
    "varied": lambda one: one.changes,
    "policy": lambda one: _optional(one.row.policy),
    "sampling": lambda one: _optional(one.sampling),
    "model": lambda one: _optional(one.row.model),
    "cost": _cost,
    "tags": lambda one: " ".join(one.row.tags),
}
_TRAINING: _Columns = {
    **_COMMON,
    "last step": lambda one: _optional(one.row.step),
    "eval loss": lambda one: "" if one.row.eval_loss is None else f"{one.row.eval_loss:.4f}",
    "revisions": lambda one: _optional(one.row.revisions),
    "varied": lambda one: one.changes,
    "tags": lambda one: " ".join(one.row.tags),
}


def _constant(said: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The columns that hold the same everywhere; runs that have nothing there yet do not count."""
    names = [name for name in ("confidence", "policy", "sampling", "model", "state") if name in said[0]]
    values = {name: {one[name] for one in said} - {""} for name in names}
    return {name: held.pop() for name, held in values.items() if len(held) == 1}


def _common_folder(group: Sequence[Compared]) -> Path | None:
    folders = {one.row.run.parent for one in group}
    return folders.pop() if len(folders) == 1 and len(group) > 1 else None


def _run(one: Compared, folder: Path | None) -> str:
    return str(one.row.run) if folder is None else one.row.run.name


def _width(table: Table, console: Console) -> int:
    """How wide the table is when nothing limits it."""
    return table.__rich_measure__(console, console.options.update(max_width=10_000)).maximum


def text(value: object) -> Text:
    """A line that rich prints as it is, after an empty one where it begins with one; names steer no terminal."""
    start, line = ("\n", str(value)[1:]) if str(value).startswith("\n") else ("", str(value))
    return Text(start + printable(line))
