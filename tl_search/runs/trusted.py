"""Models whose own code may run, because the person has said so: `trust_remote_code=[owner/name@COMMIT,FOLDER]`.

The command line fills this list (`cli/config/trusting.py`), and nothing else: no config file, and no record of a run.
A model of the Hub is trusted at one commit, so that nobody can change the code afterwards; a folder as it is now.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

KEY = "trust_remote_code"
_ALLOWED = "TL_TRUST_REMOTE_CODE"  # in the environment, so that the processes which a command starts know them too
_FOLDERS = "TL_TRUSTED_FOLDERS"  # of the Hub's cache, where those commits lie
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_COMMIT = re.compile(rf"({_PART}/{_PART})@([0-9a-f]{{40}})")
_SNAPSHOT = re.compile(rf"models--({_PART})--({_PART})/snapshots/([0-9a-f]{{40}})")


def checked(entry: str) -> str:
    """An entry of the setting as it is compared: a folder by its whole path. Raises ValueError for what is neither."""
    if _COMMIT.fullmatch(entry):
        return entry
    if Path(entry).is_dir() and "@" not in entry:
        return str(Path(entry).resolve())
    raise ValueError(
        f"{KEY}: must be owner/name@COMMIT, with all 40 digits of the commit, or the folder of a model, got {entry!r}"
    )


def allow(entries: Sequence[str]) -> None:
    """From now on, in this process and those that it starts, the code of exactly these models may run."""
    os.environ[_ALLOWED] = "\n".join(entries)
    os.environ.pop(_FOLDERS, None)


def allowed() -> tuple[str, ...]:
    """The models whose code may run."""
    return tuple(name for name in os.environ.get(_ALLOWED, "").split("\n") if name)


def grant(repository: str, commit: str, folder: Path) -> bool:
    """Trust a folder into which a commit was downloaded, if that commit is trusted; gives whether it is.

    Only what has downloaded it may say this: the name of a folder proves nothing.
    """
    if f"{repository}@{commit}" not in allowed():
        return False
    known = os.environ.get(_FOLDERS, "").split("\n")
    os.environ[_FOLDERS] = "\n".join(dict.fromkeys(filter(None, (*known, str(folder.resolve())))))
    return True


def is_trusted(source: str | Path) -> bool:
    """Whether the code in a model's folder may run: the folder, or the one that holds it with others, is allowed."""
    if not Path(source).is_dir():
        return False
    place, folders = Path(source).resolve(), os.environ.get(_FOLDERS, "").split("\n")
    named = [entry for entry in allowed() if entry.startswith("/")]
    return any(place.is_relative_to(entry) for entry in named) or str(place) in folders


def refusal(source: str | Path) -> str:
    """Why the code of a model does not run, with the very words that allow it."""
    place = Path(source).resolve()
    found = _SNAPSHOT.search(place.as_posix())
    entry = f"{found[1]}/{found[2]}@{found[3]}" if found else str(place) if place.is_dir() else f"{source}@COMMIT"
    return f"{source}: brings custom code, which does not run here; if you have read it and trust it: {KEY}=[{entry}]"
