"""Where a command may write: below the working directory, and where the person said. A shared file says no other place.

Every place is resolved first, so that neither `..` nor a link leads out. What a person types on the command line
counts, and so do folders that the environment names (`SCRATCH`); what a config file or the record of a run names does
not.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.config.allowlist import walk
from tl_search.cli.config.secrets import entries
from tl_search.errors.kinds import BadInput

FOLDERS = ("runs", "cache", "ledger", "embeddings")  # which commands share, wherever a node has such a setting
FILES = ("output",)
_HOLDS = {"runs": "train/*/run.json", "cache": "tokens/*/MANIFEST.json", "ledger": "??/*.json",
          "embeddings": "??/*.safetensors"}  # fmt: skip
_OF_LIBRARIES = re.compile(r".*(?:dir|dirs|path|folder|file|uri)|filename")
_VARIABLES = re.compile(r"SCRATCH|WORK|DATA|TMPDIR|TL_\w+")


def said_by(words: Iterable[str]) -> dict[str, str]:
    """Setting → value, of those that stand whole on a command line."""
    pairs = (word.lstrip("+").partition("=") for word in words)
    return {key: value.strip("'\"") for key, equals, value in pairs if equals and "${" not in value}


def is_allowed(place: str | Path, words: Sequence[str], *also: Path) -> bool:
    """Whether a place is in the working directory, or where the person said.

    Args:
        words: The command line.
        also: Other folders in which it may be.
    """
    return _within(place, [Path.cwd(), *_of_environment(), *_of_person(words), *also])


def is_in_use(key: str, place: str | Path) -> bool:
    """Whether a folder is one of those that runs share already: a run that somebody else made can name it then."""
    return any(Path(place).glob(_HOLDS[key]))


def check_outputs(config: DictConfig, parts: Mapping[str, Any], run: Path, words: Sequence[str], *also: Path) -> None:
    """Refuse to write where neither the person nor a default said. Raises BadInput.

    Args:
        config: The composed config.
        parts: What was built of it.
        run: The run directory; loggers and callbacks of libraries may write into it, and into the folder of runs.
        words: The command line.
        also: As for `is_allowed`; given where a run goes on that has recorded its places.
    """
    said = said_by(words)
    if also and "runs" in config and is_in_use("runs", config.runs):
        also = (*also, Path(config.runs))
    for where, key, value in entries(config):
        if not isinstance(value, str) or "${" in value or value == "???" or where.startswith("hydra."):
            continue
        if key in FOLDERS and not (is_allowed(value, words, *also) or (also and is_in_use(key, value))):
            raise BadInput(f"{where}: {_rule(where, value)}")
        if where in FILES and where not in said:
            raise BadInput(f"{where}: must be given on the command line, since it is written to, got {value}")
    inside = [run, *([Path(str(config.runs))] if "runs" in config else []), *_of_person(words), *also]
    for where, value in _of_libraries(parts):
        leads_out = Path(value).is_absolute() or ".." in Path(value).parts
        named = _OF_LIBRARIES.fullmatch(where.rpartition(".")[2])
        if (named or leads_out) and not _is_said(where, said) and not _within(value, inside):
            raise BadInput(f"{where}: {_rule(where, value)}")


def _is_said(where: str, said: Mapping[str, str]) -> bool:
    """Whether the command line gives the setting, alone or within a node that is written out there."""
    nodes = (key for key, value in said.items() if value.startswith("{"))
    return where in said or any(where.startswith(f"{key}.") for key in nodes)


def _rule(where: str, value: str) -> str:
    return (
        f"must be in the run's directories, or be given on the command line, since it is written to ({where}={value}); "
        f"got {value} from a file"
    )


def _of_libraries(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, text) of all texts that classes of libraries are given."""
    rooms = {room: parts[room] for room in ("trainer", "callbacks", "logger") if isinstance(parts.get(room), Mapping)}
    for path, key, value in walk(rooms):
        if isinstance(value, str) and not key.startswith("_"):
            yield f"{path}.{key}", value


def _within(place: str | Path, folders: Iterable[Path]) -> bool:
    where = Path(place).resolve()
    return any(where.is_relative_to(folder.resolve()) for folder in folders)


def _of_environment() -> list[Path]:
    return [Path(value) for name, value in os.environ.items() if _VARIABLES.fullmatch(name) and os.path.isabs(value)]


def _of_person(words: Sequence[str]) -> list[Path]:
    """The folders that a command line names, wherever."""
    return [Path(value) for key, value in said_by(words).items() if key.rpartition(".")[2] in FOLDERS and value]
