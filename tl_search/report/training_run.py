"""Prints the revisions of a training run in a terminal: the step of each, its eval loss, and which is best so far."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tl_search.errors.printable import printable
from tl_search.report.branches import branch_tree
from tl_search.report.sentences import count, tags_line
from tl_search.report.table_look import plain_table
from tl_search.runs.index import WrittenRevision, read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.pointers import Pointer, pointers
from tl_search.runs.record import RunRecord


def read_revisions(folder: Path) -> list[WrittenRevision]:
    """The revisions in the order of training, `best` filled in where early versions did not write it.

    Raises:
        ValueError: the index is missing, or a line is damaged; the message names the file.
    """
    path = RunPaths(folder).index
    if not RunPaths(folder).is_training:
        raise ValueError(f"{path}: missing; is {folder} the folder of a training run?")
    lowest, found = math.inf, []
    for line in read_index(folder):
        lowest = min(lowest, *(math.inf if loss is None else loss for loss in (line.eval_loss, line.best)))
        found.append(replace(line, best=None if lowest == math.inf else lowest))
    return found


def print_revisions(folder: Path, console: Console) -> None:
    """Print the table, with the measurements that decide which checkpoint is the best.

    `best` stands at the revisions that were better than all before them. The lowest eval loss so far is left out where
    only other measurements decide.
    """
    revisions, kept = read_revisions(folder), pointers(folder)
    names = sorted({name for revision in revisions for name in revision.measured})
    others = {name: _records(name, revisions, kept) for name in names}
    by_loss = not others or any(pointer.monitor == "eval/loss" for pointer in kept)
    table = plain_table("revision", "stage")
    for header in ("step", "tokens", "epoch", "eval loss", *["best so far"] * by_loss, *map(printable, others)):
        table.add_column(header, justify="right")
    best = None
    for revision in revisions:
        loss, before = revision.eval_loss, best
        best = min((value for value in (before, loss, revision.best) if value is not None), default=None)
        better = loss is not None and loss == best and loss != before
        table.add_row(
            Text(printable(revision.name)),
            Text(printable(revision.stage or "")),
            f"{revision.step:,}",
            "" if revision.tokens is None else f"{revision.tokens:,}",
            "" if revision.epoch is None else f"{revision.epoch:,}",
            "" if loss is None else f"{loss:.4f}",
            *[_marked(best, better)] * by_loss,
            *(_marked(revision.measured.get(name), revision.name in records) for name, records in others.items()),
        )
    console.print(Text(_headline(revisions, kept), style="bold"))
    record = RunRecord.read(folder)
    if record and record.tags:
        console.print(Text(printable(tags_line(record.tags))))
    if revisions:
        console.print(table)
    if (tree := branch_tree(folder)) is not None:
        console.print(tree, soft_wrap=True)
    if RunPaths(folder).tensorboard.is_dir():
        console.print(Text(f"\nCurves: tensorboard --logdir {printable(RunPaths(folder).tensorboard)}"), soft_wrap=True)


def _marked(value: float | None, best: bool) -> str:
    return "" if value is None else f"{value:.4f} {'best' if best else '    '}"


def _records(name: str, revisions: Sequence[WrittenRevision], kept: Sequence[Pointer]) -> set[str]:
    """The revisions at which a measurement was better than at all before; none where the run keeps no best by it.

    The best one of all tells which way is better.
    """
    values = {line.name: line.measured[name] for line in revisions if name in line.measured}
    best = next((pointer.value for pointer in kept if pointer.monitor == name), None)
    if best is None:
        return set()
    sign = 1 if best >= max(values.values()) else -1
    found, record = set(), -math.inf
    for revision, value in values.items():
        if sign * value > record:
            record = sign * value
            found.add(revision)
    return found


def _headline(revisions: list[WrittenRevision], kept: Sequence[Pointer]) -> str:
    if not revisions:
        return "No revision has been written yet."
    written = f"{count(len(revisions), 'revision')}, the last at step {revisions[-1].step:,}"
    if kept:
        return f"{written}; {'; '.join(printable(str(best)) for best in kept)}."
    evaluated = {revision.name: revision.eval_loss for revision in revisions if revision.eval_loss is not None}
    if not evaluated:
        return f"{written}; none was evaluated."
    best = min(evaluated, key=lambda name: evaluated[name])
    return f"{written}; best so far: {printable(best)} with eval loss {evaluated[best]:.4f}."
