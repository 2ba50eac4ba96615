"""Where a launcher keeps the pickles of its jobs: they are carried out, so only their owner may write there."""

import os
import stat
from itertools import takewhile
from pathlib import Path

from tl_search.errors.kinds import BadInput

SETTING = "hydra.launcher.submitit_folder"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def job_folder(setting: str) -> Path:
    """The folder that holds those of single jobs, of a setting such as `runs/train/.submitit/%j`."""
    return Path(*takewhile(lambda part: "%" not in part, Path(setting).parts))


def check_owner(folder: Path) -> None:
    """Refuse a folder of jobs in which somebody else could put or change what is carried out. Raises BadInput."""
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(facts.st_mode):
        raise BadInput(f"{SETTING}: {folder} must be a folder, since jobs are carried out as they lie there; remove it")
    if facts.st_uid != os.getuid():
        raise BadInput(
            f"{SETTING}: {folder} must be yours, since jobs are carried out as they lie there, and belongs to user "
            f"{facts.st_uid}; runs=FOLDER names another place"
        )
    if facts.st_mode & _OTHERS:
        mode = stat.S_IMODE(facts.st_mode)
        raise BadInput(
            f"{SETTING}: {folder} must be a folder that only you can write to, since jobs are carried out as they lie "
            f"there, and has the mode {mode:o}; look at what is in it, then: chmod go-w {folder}"
        )


def make_own(folder: Path) -> None:
    """Make a folder of jobs that nobody else can open, or make that of earlier jobs so, which was checked."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    check_owner(folder)
    folder.chmod(0o700)
