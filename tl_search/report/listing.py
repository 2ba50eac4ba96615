"""Prints the runs in a folder: what they are, how far they are, what they found."""

from pathlib import Path

from tl_search.report import sentences as say
from tl_search.report.rows import Row, is_run, read_row
from tl_search.report.tables import TABLE, facts, print_damaged, print_data, print_rows, text
from tl_search.report.write import Terminal

_COLUMNS = ("run", "state", "answer", "tags", "changed")
_DEPTH = 3  # runs/train/NAME below the working directory
_SHARED = ("ledger", "embeddings", "cache")  # of many files, and none of them a run
_COMMANDS = ("train", "search", "run")


def print_listing(folder: Path, form: str = TABLE) -> None:
    """Print one row per run in or below a folder: by command, and the run that was changed last comes last."""
    rows = sorted(map(read_row, find_runs(folder)), key=_place)
    if form != TABLE:
        print_data([facts(row) for row in rows], form)
        return
    console = Terminal()
    if not rows:
        console.print(text(f"{folder}: holds no run"), soft_wrap=True)
        return
    print_rows([_said(row) for row in rows], _COLUMNS if any(row.tags for row in rows) else _UNTAGGED, console)
    print_damaged(rows, console)


_UNTAGGED = tuple(name for name in _COLUMNS if name != "tags")


def find_runs(folder: Path, depth: int = _DEPTH) -> list[Path]:
    """The runs in a folder and in those below it; the folder itself, if it is a run."""
    if is_run(folder):
        return [folder]
    if not depth:
        return []
    inside = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return [run for entry in inside if entry.name not in _SHARED for run in find_runs(entry, depth - 1)]


def answer(row: Row) -> str:
    """`step6/layer 2: 61.53 on STSBenchmark`, or how far a run is."""
    if row.is_training:
        loss = "" if row.eval_loss is None else f", lowest eval loss {row.eval_loss:.4f}"
        return "" if row.step is None else f"step {row.step}{loss}"
    if row.arm is None:
        return ""
    if row.score is None:
        return f"{row.arm} so far, after {say.count(row.pulls or 0, 'pull')}"
    first, *others = row.tasks
    return f"{row.arm}: {say.points(row.score)} on {first}{f' and {len(others)} more' if others else ''}"


def _said(row: Row) -> dict[str, str]:
    return {
        "run": str(row.run),
        "state": row.state,
        "answer": answer(row),
        "tags": " ".join(row.tags),
        "changed": f"{row.changed:%Y-%m-%d %H:%M}" if row.changed else "",
    }


def _place(row: Row) -> tuple[int, float]:
    known = row.command in _COMMANDS
    return _COMMANDS.index(str(row.command)) if known else len(_COMMANDS), row.changed.timestamp() if row.changed else 0
