"""The revisions of a training run in a terminal: when each was written, and which is best so far."""

import math
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tl_search.report.sentences import count, printable
from tl_search.store.journal import Journal

INDEX = Path("checkpoints", "index.jsonl")


@dataclass(frozen=True)
class WrittenRevision:
    """One line of the index. `eval_loss` is None where nothing was evaluated at that step."""

    name: str
    step: int
    tokens: int | None
    epoch: float | None
    stage: str
    eval_loss: float | None


def read_revisions(folder: Path) -> tuple[WrittenRevision, ...]:
    """In the order of training; a revision written twice (a resumed run) counts by its last line.

    Raises:
        ValueError: the index is missing, or a line is damaged; the message names file and line.
    """
    path = folder / INDEX
    if not path.is_file():
        raise ValueError(f"{path}: missing; is {folder} the folder of a training run?")
    found = {}
    for number, record in enumerate(Journal(path).peek(), 1):  # the run may be alive
        try:
            loss = record.get("eval_loss")
            found[str(record["name"])] = WrittenRevision(
                name=str(record["name"]),
                step=int(record["step"]),
                tokens=None if record.get("tokens") is None else int(record["tokens"]),
                epoch=None if record.get("epoch") is None else float(record["epoch"]),
                stage=str(record.get("stage") or ""),
                eval_loss=None if loss is None else float(loss),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: line {number} is damaged ({type(error).__name__}: {error})") from error
    return tuple(sorted(found.values(), key=lambda revision: revision.step))


def print_revisions(folder: Path, console: Console) -> None:
    """The table; the lowest eval loss so far stands in the last column; `best` marks the revisions that lowered it."""
    revisions = read_revisions(folder)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in ("revision", "stage"):
        table.add_column(header, overflow="fold")
    for header in ("step", "tokens", "epoch", "eval loss"):
        table.add_column(header, justify="right")
    table.add_column("best so far", justify="right")
    lowest, best = math.inf, None
    for revision in revisions:
        loss = revision.eval_loss
        better = loss is not None and loss < lowest
        if loss is not None and better:
            lowest, best = loss, revision
        table.add_row(
            Text(printable(revision.name)),
            Text(printable(revision.stage)),
            f"{revision.step:,}",
            "" if revision.tokens is None else f"{revision.tokens:,}",
            "" if revision.epoch is None else f"{revision.epoch:.2f}",
            "" if loss is None else f"{loss:.4f}",
            "" if best is None else f"{lowest:.4f} {'best' if better else '    '}",
        )
    console.print(Text(_headline(revisions, best), style="bold"))
    if revisions:
        console.print(table)
    if (folder / "tensorboard").is_dir():
        console.print(Text(f"Curves: tensorboard --logdir {printable(folder / 'tensorboard')}"), soft_wrap=True)


def _headline(revisions: tuple[WrittenRevision, ...], best: WrittenRevision | None) -> str:
    if not revisions:
        return "No revision has been written yet."
    written = f"{count(len(revisions), 'revision')}, the last at step {revisions[-1].step:,}"
    if best is None:
        return f"{written}; none was evaluated."
    return f"{written}; best so far: {printable(best.name)} with eval loss {best.eval_loss:.4f}."
