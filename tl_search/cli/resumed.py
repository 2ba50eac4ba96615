"""`tl train resume=RUN`: the run's recorded settings, with what this command line changes of them.

Hydra composes every job from the defaults, in whatever process it runs; so a job's config is put on top of the record
there, by the overrides that Hydra says the job has.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from tl_search.cli.errors import BadInput
from tl_search.cli.identity import KEYS
from tl_search.cli.mistakes import readable
from tl_search.training.rewind import Target, check_run

_RECORDED = (*KEYS["train"], "logger")
_OF_THIS_COMMAND = {"resume", "lr_policy", "launchers", "runs", "name", "cache", "hydra"}


def target(config: Mapping[str, Any]) -> Target:
    """What a config's `resume` names. Raises BadInput."""
    resume = config.get("resume", "auto")
    if not isinstance(resume, str) or not resume:
        raise BadInput(f"resume: must be auto, best or a path, got {resume!r}")
    try:
        return Target.parse(resume)
    except ValueError as error:
        raise BadInput(str(error)) from error


def resumed(config: DictConfig, hydra: Any) -> DictConfig:
    """The settings of the run that `resume` names by its path, with the job's own on top; else the config as it is.

    Args:
        config: The job's, composed.
        hydra: Hydra's own part of it, which knows the job's overrides.

    Raises:
        BadInput: the path is no training run.
    """
    run = target(config).run
    if run is None:
        return config
    recorded = _record(run)
    merged = copy.deepcopy(config)
    with readable(), open_dict(merged):
        for key in _RECORDED:
            if key in recorded:
                merged[key] = recorded[key]
        # unresolved: what an override interpolates is for the config to say, with the key's name
        overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False)
        assert isinstance(overrides, list)
        _override(merged, config, hydra.runtime.choices, overrides)
    return merged


def _record(run: Path) -> DictConfig:
    try:
        check_run(run)
    except ValueError as error:
        raise BadInput(str(error)) from error
    path = run / "config.yaml"
    if not path.is_file():
        raise BadInput(f"resume: {run} was not trained by tl train or tl run: it has no {path.name}")
    with readable():
        recorded = OmegaConf.load(path)
    assert isinstance(recorded, DictConfig)
    return recorded


def _override(merged: DictConfig, config: DictConfig, choices: Mapping[str, Any], overrides: Sequence[str]) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    given = OverridesParser.create().parse_overrides(list(overrides))
    # an option replaces its whole node, and what is said of single settings comes after it
    for override in sorted(given, key=lambda override: override.key_or_group not in choices):
        key = override.key_or_group
        if key == "experiments" and override.value() is not None:
            raise BadInput("experiments: must be left out with resume=PATH, which starts from the run's own settings")
        if key.partition(".")[0].partition("/")[0] in _OF_THIS_COMMAND | {"experiments"}:
            continue
        if key in choices:
            merged[key] = config[key]
        elif override.is_delete():
            parent, _, name = key.rpartition(".")
            (OmegaConf.select(merged, parent) if parent else merged).pop(name, None)
        else:
            OmegaConf.update(merged, key, override.value(), merge=True, force_add=True)
