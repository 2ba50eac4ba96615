"""The commands of `tl`, one module each, and a function that finds one by its name."""

import importlib

from tl_search.cli.command import Command

NAMES = ("train", "search", "report", "export", "list", "run", "schedule", "evaluate", "revisions", "compare", "costs")
BEGIN_ANEW = (
    "report",
    "export",
    "list",
    "schedule",
    "evaluate",
    "costs",
)  # they leave nothing that the same command goes on with


def find(name: str) -> Command:
    """The command of that name; importing it is what makes it known."""
    return importlib.import_module(f"tl_search.cli.commands.{name}").COMMAND
