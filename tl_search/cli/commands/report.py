"""`tl report`: shows what a run found, as a table, figures, an HTML page and TensorBoard events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.errors.exit_codes import DONE
from tl_search.errors.nearest import no_folder
from tl_search.runs.layout import RunPaths
from tl_search.runs.links import refuse_links


def plan(parts: Mapping[str, Any]) -> Path:
    """The run directory to report on. Raises ValueError if it is none, or would have the report written elsewhere."""
    folder = Path(str(parts["run"]))
    if not folder.is_dir():
        raise ValueError(f"run: {no_folder(folder)}")
    paths = RunPaths(folder)
    if not any(file.exists() for file in (paths.record, paths.plane, paths.index)):
        raise ValueError(f"run: {folder} is not a run directory (it holds neither run.json nor plane.json)")
    refuse_links(folder)
    return folder


def execute(plan: Path, folder: Path, config: DictConfig) -> int:
    from tl_search.report import write as report

    report.write_report(plan)
    return DONE


COMMAND = Command(
    name="report",
    summary="print what a run found, and write figures, an HTML page and TensorBoard events\n\n"
    "It only reads the files of the run, so it also works while the run is still active, and on a copy of the run.",
    usage="RUN",
    examples=(
        ("tl report runs/search/RUN", "report on a search: the best arm, its gain and the cost"),
        ("tl report runs/train/RUN", "report on a training run: its revisions"),
        ("tl report -m run=runs/search/ONE,runs/search/OTHER", "report on several runs, one after the other"),
    ),
    bare=("run={}",),
    plan=plan,
    execute=execute,
    settings=("run",),
    makes_run=False,
)
