"""`tl list`: shows the runs in a folder, with their state and their answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.errors.exit_codes import DONE
from tl_search.errors.nearest import no_folder


def plan(parts: Mapping[str, Any]) -> tuple[Path, str]:
    """The folder whose runs are listed, and the format. Raises ValueError."""
    from tl_search.report.tables import check_format

    check_format(parts["format"])
    folder = Path(str(parts["runs"]))
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"runs: must be a folder, got {folder}, which is a file")
    if not folder.is_dir():
        raise ValueError(f"runs: {no_folder(folder, 'tl train, tl search and tl run make runs')}")
    return folder, str(parts["format"])


def execute(plan: tuple[Path, str], folder: Path, config: DictConfig) -> int:
    from tl_search.report.listing import print_listing

    print_listing(*plan)
    return DONE


COMMAND = Command(
    name="list",
    summary="list the runs in a folder, with their state and their answer\n\n"
    "The state is done, running, stopped (the same command continues it), diverged (its loss is infinite) or damaged.\n"
    "Of each command, the run that was changed last comes last. tl report compares the runs that it is given.",
    usage="[DIR] [format=table|csv|json]",
    examples=(
        ("tl list", "list all runs in runs/"),
        ("tl list runs/search", "list all searches"),
        ("tl list format=json", "the same for a program"),
    ),
    bare=("runs={}",),
    plan=plan,
    execute=execute,
    settings=("runs", "format"),
    makes_run=False,
)
