"""`tl report`: what a run found, as a table, figures, a page and TensorBoard events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.errors.exit_codes import DONE
from tl_search.errors.nearest import no_folder


def plan(parts: Mapping[str, Any]) -> Path:
    """The run directory to report on. Raises ValueError when it is none."""
    folder = Path(str(parts["run"]))
    if not folder.is_dir():
        raise ValueError(f"run: {no_folder(folder)}")
    if not any((folder / name).exists() for name in ("run.json", "plane.json", "checkpoints/index.jsonl")):
        raise ValueError(f"run: {folder} is not a run directory (it holds neither run.json nor plane.json)")
    return folder


def execute(plan: Path, folder: Path, config: DictConfig) -> int:
    from tl_search.report import write as report

    report.write_report(plan)
    return DONE


COMMAND = Command(
    name="report",
    summary="print what a run found, and write its figures, its page and its TensorBoard events\n\n"
    "Reads the run's files only, so it also works while the run is going on, or on a copy of it.",
    usage="RUN",
    examples=(
        ("tl report runs/search/RUN", "a search: the best arm, what it gains, what it cost"),
        ("tl report runs/train/RUN", "a training run: its revisions"),
        ("tl report -m run=runs/search/ONE,runs/search/OTHER", "several, one after the other"),
    ),
    bare=("run={}",),
    plan=plan,
    execute=execute,
    settings=("run",),
    makes_run=False,
)
