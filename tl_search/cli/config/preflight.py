"""Checks every job of a command line before the first one starts and before anything is written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.command import Command
from tl_search.cli.config import run_folder  # noqa: F401  it makes the names of directories of trainings
from tl_search.cli.config.allowlist import check_targets, walk
from tl_search.cli.config.ancestry import parent_of
from tl_search.cli.config.build import build
from tl_search.cli.config.compose import CommandLine, compose_job, configs, jobs
from tl_search.cli.config.convert import convert
from tl_search.cli.config.environment import check_servers, tell_endpoint
from tl_search.cli.config.hydra_errors import readable, unknown_key
from tl_search.cli.config.naming import known_keys
from tl_search.cli.config.outputs import check_outputs
from tl_search.cli.config.plugged import check_word
from tl_search.cli.config.purpose import KEY as PURPOSE
from tl_search.cli.config.resumed import resumed, target
from tl_search.cli.config.secrets import check_secrets
from tl_search.cli.config.tags import tags_of
from tl_search.cli.config.trusting import check_trust
from tl_search.errors.kinds import BadInput
from tl_search.runs.links import refuse_links

# Settings of any node that are paths.
_PLACES = {"runs", "run", "cache", "ledger", "embeddings", "path", "from", "resume", "folder", "dirpath", "save_dir",
           "root_dir", "default_root_dir"}  # fmt: skip
_NAMED = {*_PLACES, "to", "output", "diff", "base", "branch_from"}  # these may be empty, or are told so elsewhere
# Folders that runs share, which are no fields of a class.
_FOLDERS = {"runs": str, "cache": str | None, "ledger": str, "embeddings": str}
_LONGEST = 255  # bytes of one name in a path, in all usual file systems


@dataclass(frozen=True)
class Job:
    """One composed and checked job."""

    config: DictConfig
    folder: Path
    plan: Any


def preflight(line: CommandLine, command: Command) -> list[Job]:
    """Compose, check and build every job of a command line. Raises BadInput for the first mistake of any of them."""
    with configs(), readable():  # wherever an interpolation is looked up
        checked = [check(command, compose_job(command.name, words), line.overrides) for words in jobs(line)]
    tell_endpoint([job.plan for job in checked])
    return checked


def check(command: Command, config: DictConfig, said: Sequence[str] = ()) -> Job:
    """Build one composed job; `said` are the words of the command line. Raises BadInput."""
    if command.resumes:
        _check_lengths(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]  # a DictConfig gives a dict
        config = resumed(config, config.hydra)
    tree = OmegaConf.to_container(config, resolve=False)
    assert isinstance(tree, dict)
    check_word(config)
    check_trust(config)
    check_targets(tree)  # type: ignore[arg-type]  # the keys of a primary config are names
    check_servers(config)
    check_secrets(config)
    _check_places(tree)
    _check_lengths(tree)
    _check_removed(command, config)
    known = known_keys(command.name) | {PURPOSE}
    for key in map(str, tree):
        if key not in known:
            raise BadInput(unknown_key(key, key, config, command.name))
    parts = build(config)
    for key, kind in _FOLDERS.items():
        if key in parts and key not in command.settings:  # which are the command's to check
            convert(parts[key], kind, key)
    name = str(parts.get("name", "none"))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name) or ".." in name:
        raise BadInput(f"name: must be letters, digits, dots, dashes and underscores, at most 80, got {name[:80]!r}")
    tags_of(parts)
    if "seed" in parts and not (type(parts["seed"]) is int and 0 <= parts["seed"] < 2**32):
        raise BadInput(f"seed: must be an integer from 0 to 2**32 - 1, got {parts['seed']!r}")
    try:
        planned = command.plan(parts)
        folder = _folder(config, parts, command)
        beside = [folder.resolve().parent.parent] if command.resumes and target(parts).run is not None else []
        if command.resumes and (parent := parent_of(config)) is not None:
            beside.append(parent.run.resolve().parent.parent)
        check_outputs(config, parts, folder, said, *beside)
        return Job(config, folder, planned)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _check_removed(command: Command, config: DictConfig) -> None:
    """Refuse `~run`: a command needs all settings of its own, and the folders that its runs share."""
    needed = {*command.settings, *command.places, *(("runs", "ledger", "embeddings") if command.makes_run else ())}
    for word in map(str, OmegaConf.to_container(config.hydra.overrides.task, resolve=False) or ()):
        key = word[1:].partition("=")[0]
        if word.startswith("~") and key in needed and key not in config:
            raise BadInput(f"{key}: must not be removed ({key}=VALUE sets it)")


def _check_places(tree: Mapping[Any, Any]) -> None:
    """Refuse an empty path, which would be the working directory, and `~/models` in a file, a folder named `~`."""
    for path, key, value in walk({name: node for name, node in tree.items() if name != "hydra"}):
        where = f"{path}.{key}" if path else key
        if value == "" and key in _PLACES:
            raise BadInput(f"{where}: must be a path, got ''; . is the working directory")
        if isinstance(value, str) and value.startswith("~/"):
            raise BadInput(
                f"{where}: must be a whole path, got {value!r}; only on the command line is ~ the home folder"
            )


def _check_lengths(tree: Mapping[Any, Any]) -> None:
    """Refuse a path with a name that no file system takes; a library would tell neither the setting nor the reason."""
    for path, key, value in walk({name: node for name, node in tree.items() if name != "hydra"}):
        for place in map(str, value if isinstance(value, list) else [value]) if key in _NAMED else ():
            parts = (part.partition("${")[0] for part in place.split("/"))
            longest = max(parts, key=_size)
            if "\0" in place or _size(longest) > _LONGEST:
                why = "a NUL character" if "\0" in place else f"a name of {len(longest)} characters, {longest[:40]}…"
                raise BadInput(f"{f'{path}.{key}' if path else key}: must be a path, got one with {why}")


def _size(name: str) -> int:
    return len(name.encode(errors="surrogatepass"))


def _folder(config: DictConfig, parts: Mapping[str, Any], command: Command) -> Path:
    """Where the job writes: the run's own place below `runs`, and the same alone and in a sweep."""
    with readable():
        alone = Path(config.hydra.run.dir)
        swept = Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir
    if "runs" in parts and command.makes_run and not _below(config.hydra.sweep.dir, Path(parts["runs"])):
        raise BadInput(f"hydra.sweep.dir: must be in runs={parts['runs']}, got {config.hydra.sweep.dir}")
    if alone.resolve() != swept.resolve():
        raise BadInput(
            "hydra.run.dir: must be left out, since the settings decide it; runs=FOLDER sets the folder of all runs"
        )
    if command.makes_run and target(parts).run is None and "runs" in parts and not _below(alone, Path(parts["runs"])):
        raise BadInput(f"hydra.run.dir: must be in runs={parts['runs']}, got {alone}")
    own = [alone] if command.makes_run else []
    if "checkpoints" in command.derived:
        own.append(Path(parts["checkpoints"].path))
        if not _below(own[-1], Path(parts["runs"])):
            raise BadInput(f"checkpoints.path: must be left out, or be in runs={parts['runs']}, where tl run trains")
    for run in own:
        refuse_links(run)
    shared = [(key, Path(parts[key])) for key in ("cache", "ledger", "embeddings") if parts.get(key)]
    for key, folder in (("runs", alone), *shared):
        for place in (folder, *folder.parents):
            if place.exists() and not place.is_dir():
                raise BadInput(f"{place}: is a file, but a folder is needed there ({key}=FOLDER names another one)")
    return alone


def _below(path: str | Path, folder: Path) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())
