"""`tl report`: shows what a run found, as a table, figures, an HTML page and TensorBoard events; or compares runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.config.compose import quoted
from tl_search.errors.exit_codes import DONE
from tl_search.errors.nearest import no_folder
from tl_search.runs.layout import RunPaths
from tl_search.runs.links import refuse_links

# What Hydra and its launchers leave beside the runs of a sweep, where a pattern such as runs/search/* finds it.
_HYDRAS = ("multirun.yaml", "optimization_results.yaml", ".submitit", ".hydra")


def words(given: Sequence[str]) -> tuple[str, ...]:
    """One run or several."""
    runs = [quoted(word) for word in given]
    return (f"run={runs[0]}",) if len(runs) == 1 else (f"run=[{','.join(runs)}]",)


def plan(parts: Mapping[str, Any]) -> tuple[tuple[Path, ...], str | None]:
    """The run directories to report on and the format of their table; None for the report of one run.

    Raises:
        ValueError: there is no such format, or a folder is no run directory.
    """
    from tl_search.report.tables import TABLE, check_format

    form = parts["format"]
    check_format(form, unset=True)
    if not isinstance(parts["run"], list | tuple):
        run = Path(str(parts["run"]))
        _check(run, one=True)
        return (run,), form
    given = [Path(str(run)) for run in parts["run"]]
    runs = {run.resolve(): run for run in reversed(given) if run.name not in _HYDRAS}
    for run in reversed(runs.values()):
        _check(run)
    if not runs:
        raise ValueError(f"run: must name a run, got {', '.join(map(str, given)) or 'an empty list'}")
    return tuple(reversed(runs.values())), form or TABLE


def _check(run: Path, one: bool = False) -> None:
    from tl_search.report.rows import is_run

    if run.exists() and not run.is_dir():
        raise ValueError(f"run: must be a run directory, got {run}, which is a file")
    if not run.is_dir():
        raise ValueError(f"run: {no_folder(run)}")
    paths = RunPaths(run)
    if not any(file.exists() for file in (paths.record, paths.plane, paths.index)) and (one or not is_run(run)):
        inside = any(is_run(folder) for folder in run.iterdir() if folder.is_dir())
        way = f"; tl report {run}/* compares the runs in it" if inside else ""
        raise ValueError(f"run: {run} is not a run directory (it holds neither run.json nor plane.json){way}")
    if one:  # whose report is written into it
        refuse_links(run)


def execute(plan: tuple[tuple[Path, ...], str | None], folder: Path, config: DictConfig) -> int:
    from tl_search.report import write as report

    runs, form = plan
    if form is None:
        report.write_report(runs[0])
    else:
        report.print_table(runs, form)
    return DONE


COMMAND = Command(
    name="report",
    summary="print what a run found, and write figures, an HTML page and TensorBoard events; or compare runs\n\n"
    "It only reads the files of the run, so it also works while the run is still active, and on a copy of the run.\n"
    "The table of several runs has one row for each. Runs that were scored on the same tasks stand together, the\n"
    "best first; a run that is not finished or is damaged has a row that says so. Nothing is written for a table.",
    usage="RUN [RUN ...] [format=table|csv|json]",
    examples=(
        ("tl report runs/search/RUN", "report on a search: the best arm, its gain and the cost"),
        ("tl report runs/train/RUN", "report on a training run: its revisions"),
        ("tl report runs/search/*", "compare all searches"),
        ("tl report runs/search/* format=csv > searches.csv", "the same for a spreadsheet"),
    ),
    bare=words,
    plan=plan,
    execute=execute,
    settings=("run", "format"),
    makes_run=False,
)
