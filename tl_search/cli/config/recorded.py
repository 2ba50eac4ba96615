"""`config.yaml`: the settings with which a run was started or last continued, with every interpolation resolved."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli import commands
from tl_search.cli.config.choices import CHOICES, chosen
from tl_search.cli.config.hydra_errors import readable
from tl_search.cli.config.naming import deciding_keys, run_digest
from tl_search.cli.config.plugged import KEY
from tl_search.cli.config.renamed import first_named
from tl_search.errors.kinds import BadInput
from tl_search.errors.secrets import redact
from tl_search.runs.identity import differences
from tl_search.runs.layout import RunPaths
from tl_search.runs.places import PLACES
from tl_search.runs.record import RunRecord
from tl_search.store.atomic import write_text

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
        who = command, str(config.get("name", folder.name)), digest, config.get("seed")
        RunRecord(*who, plugins=tuple(config.get(KEY) or ())).write(folder)
    elif record.digest != digest:
        raise BadInput(
            f"{folder}: holds a run with other settings ({_differences(folder, config, command)}); "
            f"set name=OTHER{f', or continue that run: resume={folder}' if commands.find(command).resumes else ''}"
        )


def renew(folder: Path, command: str, config: DictConfig) -> None:
    """Write the config that holds from now on; a resumed run takes its settings from it."""
    path = RunPaths(folder).config
    kept = _resolved(config, command, (*_ALSO, *([KEY] if config.get(KEY) else [])))
    if commands.find(command).resumes:
        kept[CHOICES] = chosen(read(folder).get(CHOICES) or {} if path.is_file() else None)
    write_text(path, redact(OmegaConf.to_yaml(OmegaConf.create(kept))))


def read(run: Path) -> DictConfig:
    """The settings that are recorded in a run directory. Raises BadInput."""
    path = RunPaths(run).config
    with readable():
        recorded = OmegaConf.load(path)
    if not isinstance(recorded, DictConfig):
        raise BadInput(f"{path}: must be a mapping of names to settings")
    return recorded


def _differences(folder: Path, config: DictConfig, command: str) -> str:
    """What a run's config was, and what it is now."""
    if not RunPaths(folder).config.is_file():
        return "its config.yaml is gone"
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
        for key, anywhere in PLACES.items():
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
