"""Writes a comparison of arms: a table and a verdict in the terminal, and the files of its folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from tl_search.errors.printable import printable
from tl_search.figures.style import LIGHT
from tl_search.report import arms_verdict as say
from tl_search.report.arm_rows import Comparison, Row
from tl_search.report.arms_events import write_arms
from tl_search.report.arms_page import percent, render_arms
from tl_search.report.branch_curves import EVAL_LOSS
from tl_search.report.pictures import draw_arms
from tl_search.report.table_look import plain_table
from tl_search.report.write import Terminal
from tl_search.store.atomic import write_bytes, write_json, write_text
from tl_search.store.keys import digest, safe_name


def write_comparison(found: Comparison, output: Path | None = None, made_by: str | None = None) -> Path:
    """Print a comparison and write its files; returns their folder, by default one beside the arms' runs.

    Args:
        made_by: The command that made it, for the page.
    """
    folder = output or _folder(found)
    write_bytes(folder / "curves.png", draw_arms(found.arms, LIGHT))
    write_json(folder / "comparison.json", as_plain(found))
    write_text(folder / "index.html", render_arms(found, folder, made_by))
    write_arms(found, folder)
    _print(found, folder)
    return folder


def _folder(found: Comparison) -> Path:
    arms = found.arms
    beside = arms.runs[0].folder.parent
    name = f"{arms.parent.name}-step{arms.step}-{digest(sorted(run.folder.name for run in arms.runs), 8)}"
    if arms.metric.name != EVAL_LOSS:
        name = f"{name}-{safe_name(arms.metric.name)}"
    return (beside.parent if beside.name == "train" else beside) / "compare" / name


def _print(found: Comparison, folder: Path) -> None:
    console, arms = Terminal(), found.arms

    def line(words: str) -> None:
        console.print(Text(printable(words)), soft_wrap=True)

    line(f"{len(arms.arms)} arms from {arms.parent.name}@step{arms.step}; differences to {arms.arms[0].name}")
    console.print(_table(found))
    for sentence in say.sentences(found):
        line(sentence)
    steps = say.next_steps(found)
    for what, command in steps:
        line(f"{what}: {command}")
    if not steps and len(arms.arms) > 1:
        line(f"{say.NONE_TO_NAME}.")
    line(f"Page: {folder / 'index.html'}; curves: tensorboard --logdir {folder / 'tensorboard'}")


def _table(found: Comparison) -> Table:
    """A row for each arm in each quantity."""
    table = plain_table("quantity", "curriculum")
    for header in ("runs", "mean", "difference", f"{percent(found)} interval", "pairs"):
        table.add_column(header, justify="right")
    table.add_column("in words")
    for row in found.rows:
        for number, arm in enumerate(found.arms.arms):
            gap = row.gap(number) if number else None
            told = gap and (say.signed(row, gap.mean), say.interval(row, gap), str(gap.seeds))
            table.add_row(
                Text(printable(row.title) if not number else ""),
                Text(printable(arm.name)),
                say.having(found, row, number),
                say.spread(row, number),
                *(told or ("", "", "")),
                say.in_words(row, number) if number else "reference",
                end_section=number == len(found.arms.arms) - 1,
            )
    return table


def as_plain(found: Comparison) -> dict[str, Any]:
    """All that table and page say, and the curves that they were made of."""
    arms, winner = found.arms, found.winner()
    return {
        "parent": str(arms.parent),
        "step": arms.step,
        "metric": arms.metric.name,
        "mode": arms.metric.mode,
        "end": arms.end,
        "seeds": found.seeds,
        "level": found.final.level,
        "winner": None if winner is None else winner.name,
        "verdict": [say.headline(found), *say.sentences(found)],
        "commands": [command for _, command in say.next_steps(found)],
        "unfinished": dict(arms.unfinished),
        "rows": [_plain_row(found, row) for row in found.rows],
        "arms": [
            {
                "name": arm.name,
                "final": [found.final.values[number][seed] for seed in found.seeds],
                "best": [found.rows[1].values[number][seed] for seed in found.seeds],
                "against_first": [_plain_gap(row, number) for row in found.rows[:2] if number],
                "stages": {str(step): name for step, name in arm.stages.items()},
                "diverged": {
                    str(seed): {"folder": str(run.folder), **asdict(run.diverged)}
                    for seed, run in sorted(arm.diverged.items())
                    if run.diverged is not None
                },
                "runs": {
                    str(seed): {
                        "folder": str(run.folder),
                        "values": {str(step): value for step, value in run.values.items()},
                        "stages": {str(step): name for step, name in run.stages.items()},
                    }
                    for seed, run in sorted(arm.runs.items())
                },
            }
            for number, arm in enumerate(arms.arms)
        ],
    }


def _plain_row(found: Comparison, row: Row) -> dict[str, Any]:
    names = [arm.name for arm in found.arms.arms]
    return {
        "key": row.key,
        "title": row.title,
        "values": {name: {str(seed): value for seed, value in row.values[n].items()} for n, name in enumerate(names)},
        "against_first": {name: _plain_gap(row, n) for n, name in enumerate(names) if n},
    }


def _plain_gap(row: Row, number: int) -> dict[str, Any] | None:
    gap = row.gap(number)
    return None if gap is None else {**asdict(gap), "shown": gap.shown}
