"""`config.yaml`: the settings with which a run was started or last continued, with every interpolation resolved."""

import copy
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search import plugins
from tl_search.cli import commands
from tl_search.cli.config.ancestry import CHOICES, settle
from tl_search.cli.config.choices import chosen
from tl_search.cli.config.convert import convert
from tl_search.cli.config.folders import first_part
from tl_search.cli.config.naming import deciding_keys, run_digest
from tl_search.cli.config.plugged import KEY
from tl_search.cli.config.renamed import first_named, renewed
from tl_search.cli.config.tags import tags_of
from tl_search.errors.kinds import BadInput
from tl_search.errors.secrets import redact
from tl_search.runs import trusted
from tl_search.runs.identity import differences
from tl_search.runs.layout import RunPaths
from tl_search.runs.places import SOURCES, places
from tl_search.runs.record import RunRecord
from tl_search.runs.settings import read_settings
from tl_search.store.atomic import write_text

log = logging.getLogger(__name__)

# Folders that runs share; a training may go on from another working directory, where they are still to be found.
SHARED = ("runs", "cache", "ledger", "embeddings")
_ALSO = ("checkpoints", "logger", *SHARED)  # free settings that are recorded all the same


def begin(folder: Path, command: str, config: DictConfig) -> None:
    """Write who the run is; a run that exists keeps what it said at first.

    Raises:
        BadInput: the folder belongs to a run of another config.
    """
    digest, record = run_digest(config, command), RunRecord.read(folder)
    if record is None:
        renew(folder, command, config)
        name, changed = first_part(folder, config, command)
        who = command, name, digest, config.get("seed")
        RunRecord(
            *who, plugins=plugins.allowed(), tags=tags_of(config), varied=changed, trusted=trusted.allowed()
        ).write(folder)
    elif record.digest != digest:
        raise BadInput(
            f"{folder}: holds a run with other settings ({_differences(folder, config, command)}); "
            f"set name=OTHER{f', or continue that run: resume={folder}' if commands.find(command).resumes else ''}"
        )
    else:
        if not record.history and (lost := _lost(folder)):  # with a history, other settings than these may hold now
            renew(folder, command, config)
            log.warning("%s; it was written again", lost)
        _tag(folder, config)
        permit(folder)


def permit(folder: Path) -> None:
    """Add the packages and models whose code may run now to those that the run has recorded; it never allows any."""
    record = RunRecord.read(folder)
    if record is None:
        return
    packages = tuple(dict.fromkeys((*record.plugins, *plugins.allowed())))
    models = tuple(dict.fromkeys((*record.trusted, *trusted.allowed())))
    if (packages, models) != (record.plugins, record.trusted):
        replace(record, plugins=packages, trusted=models).write(folder)


def renew(folder: Path, command: str, config: DictConfig) -> None:
    """Write the config that holds from now on; a resumed run takes its settings from it."""
    path = RunPaths(folder).config
    kept = _resolved(config, command, (*_ALSO, *([KEY] if config.get(KEY) else [])))
    if commands.find(command).resumes:
        kept[CHOICES] = chosen(None if _lost(folder) else read(folder).get(CHOICES) or {}, config)
    write_text(path, redact(OmegaConf.to_yaml(OmegaConf.create(kept))))
    _tag(folder, config)


def _tag(folder: Path, config: DictConfig) -> None:
    """A run that exists takes the tags that a command names; without any, it keeps its own."""
    record, tags = RunRecord.read(folder), tags_of(config)
    if record is not None and tags and record.tags != tags:
        replace(record, tags=tags).write(folder)


def read(run: Path) -> DictConfig:
    """The settings that are recorded in a run directory. Raises BadInput."""
    try:
        recorded = read_settings(run)
    except ValueError as error:
        raise BadInput(str(error)) from error
    tree: Any = OmegaConf.to_container(recorded, resolve=False)
    _check_plain(tree, RunPaths(run).config)
    for key in SHARED:
        convert(tree.get(key), str | None, f"{RunPaths(run).config}: {key}")
    return OmegaConf.create(renewed(tree))


def _lost(run: Path) -> str:
    """What is wrong with a run's settings on disk; empty where nothing is."""
    try:
        read_settings(run)
    except ValueError as error:
        return str(error).partition("; ")[0]
    return ""


def _check_plain(tree: Any, path: Path, where: str = "") -> None:
    """Refuse interpolations: a record has what they gave, and here they would give something else, such as a secret."""
    if isinstance(tree, dict):
        for key, item in tree.items():
            _check_plain(item, path, f"{where}.{key}" if where else str(key))
    elif isinstance(tree, list):
        for number, item in enumerate(tree):
            _check_plain(item, path, f"{where}[{number}]")
    elif isinstance(tree, str) and "${" in tree:
        raise BadInput(f"{path}: {where}: must be what a setting was, got {tree!r}")


def _differences(folder: Path, config: DictConfig, command: str) -> str:
    """What a run's config was, and what it is now."""
    if lost := _lost(folder):
        return lost
    now = _resolved(config, command)
    before = OmegaConf.to_container(read(folder), resolve=True)
    assert isinstance(before, dict)
    was = {key: value for key, value in before.items() if key in deciding_keys(command)}
    return differences(first_named(was), first_named(now))


def _resolved(config: DictConfig, command: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """The settings that decide something, and those of `also`, with interpolations replaced by what they give."""
    config = copy.deepcopy(config)
    if commands.find(command).resumes:
        for key in SHARED:
            if config.get(key):
                config[key] = str(Path(config[key]).resolve())
        settle(config)
        for key, anywhere in places(OmegaConf.select(config, SOURCES) or ()).items():
            if isinstance(place := OmegaConf.select(config, key), str):
                OmegaConf.update(config, key, anywhere(place))
    return settings(config, (*deciding_keys(command), *also))


def settings(config: DictConfig, keys: Iterable[str]) -> dict[str, Any]:
    """Those of the settings that the config has, as plain values with every interpolation replaced."""
    return {
        key: OmegaConf.to_container(config[key], resolve=True) if OmegaConf.is_config(config[key]) else config[key]
        for key in keys
        if key in config
    }
