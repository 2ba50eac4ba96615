"""Prints the revisions of a training run in a terminal: the step of each, its eval loss, and which is best so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tl_search.report.sentences import count, printable
from tl_search.runs.index import index_of, read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.pointers import Pointer, pointers
from tl_search.store.typed_json import fitting, from_plain


@dataclass(frozen=True)
class WrittenRevision:
    """One line of the index.

    Args:
        tokens: Training tokens seen up to this step; None where they are not recorded.
        epoch: Completed epochs; None where they are not recorded.
        eval_loss: Nats per token; None where the model was not evaluated at this step.
        best: The lowest eval loss up to this step in nats per token, also of steps without a revision; None before the
            first evaluation.
    """

    name: str
    step: int
    tokens: int | None = None
    epoch: int | None = None
    stage: str | None = None
    eval_loss: float | None = None
    best: float | None = None


def read_revisions(folder: Path) -> list[WrittenRevision]:
    """The revisions in the order of training. Nothing is written, because the run may still be going on.

    Raises:
        ValueError: the index is missing, or a line is damaged; the message names the file.
    """
    path = index_of(folder).path
    if not path.is_file():
        raise ValueError(f"{path}: missing; is {folder} the folder of a training run?")
    lines = read_index(folder)
    with fitting(path):
        return [from_plain(WrittenRevision, line) for line in lines]


def print_revisions(folder: Path, console: Console) -> None:
    """Print the table. Its last column is the lowest eval loss so far, with `best` at the revisions that lowered it."""
    revisions = read_revisions(folder)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in ("revision", "stage"):
        table.add_column(header, overflow="fold")
    for header in ("step", "tokens", "epoch", "eval loss", "best so far"):
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
            "" if best is None else f"{best:.4f} {'best' if better else '    '}",
        )
    console.print(Text(_headline(revisions, pointers(folder)), style="bold"))
    if revisions:
        console.print(table)
    if RunPaths(folder).tensorboard.is_dir():
        console.print(Text(f"Curves: tensorboard --logdir {printable(RunPaths(folder).tensorboard)}"), soft_wrap=True)


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
