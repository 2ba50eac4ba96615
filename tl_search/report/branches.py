"""The tree of branches to which a training run belongs, from the `run.json` of the runs beside it."""

from collections.abc import Mapping
from pathlib import Path

from rich.text import Text
from rich.tree import Tree

from tl_search.errors.printable import printable
from tl_search.report.rows import read_row
from tl_search.runs.layout import RunPaths
from tl_search.runs.parent import Parent
from tl_search.runs.record import RunRecord

_USUAL = ("keep", "level")  # policies that go on as the parent would


def branch_tree(run: Path) -> Tree | None:
    """A run with its ancestors, and all of their branches; None for a run that has neither a parent nor a branch.

    Branches are looked for beside the run and its ancestors. A parent that has been moved there is found by its name;
    one that is gone has a line that says so.
    """
    here = run.resolve()
    line, known = _ancestors(here)
    for folder in {ancestor.parent for ancestor in line}:
        known |= _records(folder)
    children: dict[Path, list[Path]] = {}
    for folder, record in known.items():
        if record.parent:
            children.setdefault(_place(folder, record.parent), []).append(folder)
    if len(line) == 1 and here not in children:
        return None
    return _grown(line[-1], here, known, children, None, {line[-1]})


def _ancestors(run: Path) -> tuple[list[Path], dict[Path, RunRecord]]:
    """The run, its parent, that one's parent and so on; and the records of those that are there."""
    line, known = [run], dict[Path, RunRecord]()
    while (record := _record(line[-1])) is not None:
        known[line[-1]] = record
        if record.parent is None or (above := _place(line[-1], record.parent)) in line:
            break
        line.append(above)
    return line, known


def _place(run: Path, parent: Parent) -> Path:
    """Where the parent of a run is now: where it was, or beside the run."""
    beside = run.parent / parent.folder.name
    return beside if not parent.folder.is_dir() and beside.is_dir() else parent.folder


def _records(folder: Path) -> dict[Path, RunRecord]:
    runs = sorted(path.parent for path in folder.glob("*/run.json"))
    return {run: record for run in runs if (record := _record(run)) is not None}


def _record(run: Path) -> RunRecord | None:
    try:
        return RunRecord.read(run)
    except ValueError:  # a damaged run has no place in the tree; its own report says what is wrong
        return None


def _grown(
    run: Path,
    here: Path,
    known: Mapping[Path, RunRecord],
    children: Mapping[Path, list[Path]],
    above: Tree | None,
    seen: set[Path],
) -> Tree:
    """The tree below a run; `seen` are the runs that are in it, in case records were changed to be in a circle."""
    label = Text(printable(_label(run, known.get(run))), style="bold" if run == here else "")
    tree = Tree(label) if above is None else above.add(label)
    below = [child for child in children.get(run, ()) if child not in seen]
    seen |= {*below}
    for child in sorted(below, key=lambda child: (_step(known[child]), child.name)):
        _grown(child, here, known, children, tree, seen)
    return tree


def _step(record: RunRecord) -> int:
    return record.parent.step if record.parent else 0


def _label(run: Path, record: RunRecord | None) -> str:
    if record is None:
        return f"{run.name} · {'damaged' if RunPaths(run).record.exists() else 'gone'}"
    row = read_row(run)
    start = []
    if record.parent:
        rooms = dict.fromkeys(key.partition(".")[0] for key in record.parent.changed)
        policies = (record.plan or {}).get("branch") or {}
        chosen = [f"{name} {value}" for name, value in policies.items() if name != "class" and value not in _USUAL]
        changed = [f"other {', '.join(rooms)}"] if rooms else [] if chosen else ["nothing changed"]
        start = [f"from step {record.parent.step:,}", *changed, *chosen]
    reached = [] if row.step is None else [f"step {row.step:,}"]
    loss = [] if row.eval_loss is None else [f"lowest eval loss {row.eval_loss:.4f}"]
    return " · ".join([run.name, *start, " at ".join([row.state, *reached]), *loss])
