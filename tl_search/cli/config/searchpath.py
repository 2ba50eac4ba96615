"""The folders in which config files are searched for: `conf/` of this project, and the working directory."""

import os
from pathlib import Path

EXAMPLES = ("experiments", "launchers")  # groups that only the person's own folder holds
OWN_GROUPS = (*EXAMPLES, "costs")  # groups that it may hold

PACKAGE = Path(__file__).resolve().parents[2]


def conf_dir() -> Path:
    """`conf/` of the installed package, else the one beside it in a checkout."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def root() -> Path:
    """The person's own folder: its `experiments/`, `launchers/` and `costs/` are config groups."""
    return Path(os.environ.get("TL_ROOT") or ".").resolve()
