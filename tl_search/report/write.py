"""Writes the report of a run: reads the run, writes the files of the report, and prints a summary."""

import sys
from pathlib import Path

from rich.console import Console

from tl_search.errors.console import silence
from tl_search.report.findings import read_findings
from tl_search.report.html import render_page
from tl_search.report.label_free import describe_plane, read_measured
from tl_search.report.pictures import draw_plane, draw_trajectory
from tl_search.report.tensorboard import write_events
from tl_search.report.terminal import print_findings, print_measured
from tl_search.report.training_run import print_revisions
from tl_search.runs.layout import RunPaths
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.store.atomic import write_bytes, write_text


def write_report(folder: Path) -> None:
    """Report on a run, which may still be going on: the report then shows its state.

    For a search this writes RUN/report and RUN/tensorboard and prints a summary; for a training run it prints a table
    of revisions. Both print a table of label-free metrics where there are any, and a search without tasks prints
    nothing else.

    Raises:
        ValueError: the folder is no run, or one of its files is missing or damaged; the message names it.
    """
    console = Terminal()
    paths = RunPaths(folder)
    if paths.is_search:
        measured, plane = read_measured(folder), SearchedPlane.read(folder)
        if not plane.tasks:
            console.print(describe_plane(plane), markup=False, highlight=False)
            print_measured(measured, console)
            return
        findings = read_findings(folder)
        write_bytes(paths.report / "plane.png", draw_plane(findings))
        write_bytes(paths.report / "regret.png", draw_trajectory(findings))
        write_text(paths.report / "index.html", render_page(findings, measured))
        write_events(findings)
        print_findings(findings, console, measured)
    elif paths.is_training:
        print_revisions(folder, console)
        print_measured(read_measured(folder), console)
    else:
        raise ValueError(
            f"{folder}: not a run: it has neither plane.json (a search) nor checkpoints/index.jsonl (training)"
        )


class Terminal(Console):
    """Standard output. When its reader leaves early (`tl report RUN | head -1`), the files are written all the same."""

    def on_broken_pipe(self) -> None:
        silence(sys.stdout)
