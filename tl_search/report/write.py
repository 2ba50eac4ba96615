"""Writes the report of a run: reads the run, writes the files of the report, and prints a summary."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from tl_search.errors.console import silence
from tl_search.figures.style import LIGHT
from tl_search.report.findings import read_findings
from tl_search.report.html import render_page
from tl_search.report.label_free import describe_plane, read_measured
from tl_search.report.pictures import draw_plane, draw_trajectory
from tl_search.report.rows import read_row
from tl_search.report.tables import TABLE, print_comparison
from tl_search.report.tensorboard import write_events
from tl_search.report.terminal import print_findings, print_measured
from tl_search.report.training_run import print_revisions
from tl_search.runs.layout import RunPaths
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.store.atomic import write_bytes, write_text

_WIDE = 10_000  # columns; wider than any line


def print_table(runs: Iterable[Path], form: str = TABLE) -> None:
    """Print a table of several runs, of whatever state, the best first; writes nothing."""
    print_comparison([read_row(run) for run in runs], Terminal(), form)


def write_report(folder: Path, summary: bool = True, kept: bool = True) -> None:
    """Report on a run, which may still be going on: the report then shows its state.

    For a search this writes RUN/report and RUN/tensorboard and prints a summary; for a training run it prints a table
    of revisions. Both print a table of label-free metrics where there are any, and a search without tasks prints
    nothing else.

    Args:
        folder: The run directory.
        summary: Whether to print, beside writing.
        kept: Whether the folder will still be there when somebody reads where its page is.

    Raises:
        ValueError: the folder is no run, or one of its files is missing or damaged; the message names it.
    """
    console = Terminal()
    console.quiet = not summary
    paths = RunPaths(folder)
    if paths.is_search:
        measured, plane = read_measured(folder), SearchedPlane.read(folder)
        if not plane.tasks:
            console.print(describe_plane(plane), markup=False, highlight=False)
            print_measured(measured, console)
            return
        findings = read_findings(folder)
        write_bytes(paths.report / "plane.png", draw_plane(findings, LIGHT))
        write_bytes(paths.report / "regret.png", draw_trajectory(findings, LIGHT))
        write_text(paths.report / "index.html", render_page(findings, measured))
        write_events(findings)
        print_findings(findings, console, measured, kept)
    elif paths.is_training:
        print_revisions(folder, console)
        print_measured(read_measured(folder), console)
    else:
        raise ValueError(
            f"{folder}: not a run: it has neither plane.json (a search) nor checkpoints/index.jsonl (training)"
        )


class Terminal(Console):
    """Standard output; every table of the package is printed here.

    When its reader leaves early (`tl report RUN | head -1`), the files are written all the same. What is not a terminal
    (a pipe, a file, the log of a job) has no width, so nothing is wrapped or cut there, unless COLUMNS says a width.
    """

    def __init__(self) -> None:
        super().__init__()
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = _WIDE

    def on_broken_pipe(self) -> None:
        silence(sys.stdout)
