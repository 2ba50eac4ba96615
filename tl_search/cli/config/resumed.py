"""`tl train resume=RUN` and `branch_from=RUN@stepN`: the recorded settings of the run, with the changes of this
command line.

Hydra composes the config of every job from the defaults, in the process in which the job runs. So the options with
which the run was made are put before the words of the command line, and the overrides that Hydra reports for a job are
then applied to the recorded settings.
"""

import copy
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf, open_dict

from tl_search.cli.config.ancestry import CHOICES, POLICIES, parent_of
from tl_search.cli.config.ancestry import KEY as BRANCH
from tl_search.cli.config.choices import check_choices, name_of, parsed, place_of, room_of
from tl_search.cli.config.compose import CommandLine
from tl_search.cli.config.hydra_errors import readable
from tl_search.cli.config.naming import deciding_keys
from tl_search.cli.config.outputs import is_allowed, is_in_use
from tl_search.cli.config.plugged import KEY
from tl_search.cli.config.recorded import SHARED, read
from tl_search.cli.config.renamed import current
from tl_search.cli.config.searchpath import conf_dir
from tl_search.cli.config.tags import TAGS
from tl_search.errors.kinds import BadInput
from tl_search.plane.curriculum import CURRENT
from tl_search.runs import trusted
from tl_search.runs.layout import RunPaths
from tl_search.runs.target import Start, Target
from tl_search.training.start import check_run

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

_OF_THIS_COMMAND = {"resume", "lr_policy", "launchers", "name", "hydra", BRANCH, TAGS, KEY, trusted.KEY, *SHARED}
_STARTS = ("resume", BRANCH)  # settings that name a run whose settings are taken over


def target(config: Mapping[str, Any]) -> Start:
    """What a config's `resume` names. Raises BadInput."""
    resume = config.get("resume", "auto")
    if not isinstance(resume, str) or not resume:
        raise BadInput(f"resume: must be auto, best or a path, got {resume!r}")
    try:
        return Start.parse(resume)
    except ValueError as error:
        raise BadInput(str(error)) from error


def with_choices(line: CommandLine) -> CommandLine:
    """The command line with the options of the run that it resumes in front: it may set what only they have.

    Jobs of a sweep that go on with several runs get the options that these have in common. What is wrong with the
    line or the run is said later, once, by whoever needs it.
    """
    if not any(word.lstrip("+").startswith(tuple(f"{key}=" for key in _STARTS)) for word in line.overrides):
        return line
    with readable():
        given = parsed(line.overrides)
    runs = [run for override in given if override.key_or_group in _STARTS for run in _runs(override)]
    recorded = [_choices(run) for run in runs]
    if not recorded:
        return line
    named = {name_of(override) for override in given}
    common = {
        name: option for name, option in recorded[0].items() if all(other.get(name) == option for other in recorded)
    }
    folders = [conf_dir(), *_search_path(given)]
    words = [
        f"{name}={option}"
        for name, option in common.items()
        # one inside another option (tasks@callbacks.plane_probe.tasks) is kept only if that one is
        if name not in named and room_of(name) not in named and room_of(name) in common
        and any((folder / name.partition("@")[0] / f"{option}.yaml").is_file() for folder in folders)
    ]  # fmt: skip
    return replace(line, overrides=(*words, *line.overrides))


def resumed(config: DictConfig, hydra: Any) -> DictConfig:
    """The settings of the run that `resume` or `branch_from` names, with the job's on top; else the config as it is.

    Raises:
        BadInput: the path is no training run.
    """
    run, parent = target(config).run, parent_of(config)
    if run is None and parent is None:
        return config
    # unresolved: what an override interpolates is for the config to say, with the key's name
    overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    assert isinstance(overrides, list)
    given = parsed(overrides)
    named = {name_of(override) for override in given}
    if run is not None and BRANCH in named:
        raise BadInput(f"{BRANCH}: must be left out with resume=PATH, which goes on with a run that has begun")
    source = parent.run if run is None and parent is not None else run
    assert source is not None
    recorded = _record(source, BRANCH if run is None else "resume")
    own = {BRANCH, POLICIES} if run is None else set()  # a parent may itself be a branch
    merged = copy.deepcopy(config)
    with readable(), open_dict(merged):
        for key in (*deciding_keys("train"), "logger"):
            if key in recorded and key not in own:
                merged[key] = recorded[key]
        _relink(merged, recorded)
        for key in SHARED:  # its tokens lie there, wherever this command is given; unless they are gone
            if key in recorded and key not in named and _is_there(key, recorded[key], source):
                merged[key] = recorded[key]
        if run is None and parent is not None:
            merged[BRANCH] = str(parent)
            if "runs" not in named and parent.run.parent.name == "train":  # the parent may have been moved
                merged.runs = str(parent.run.parents[1])
        _override(merged, config, hydra.runtime.choices, recorded.get(CHOICES) or {}, given, run is None)
    return merged


def _is_there(key: str, place: str | None, run: Path) -> bool:
    """Whether a folder of a record is still there, and is one into which the run of somebody else may lead."""
    if place is None or not os.path.isdir(place):  # which no name is too long for
        return place is None
    if is_in_use(key, place) or is_allowed(place, (), run.resolve().parent.parent):
        return True
    warnings.warn(
        f"{key}: {place} is left out, since it is neither in the working directory nor beside the run, and no such "
        f"folder yet; if it is yours: {key}={place}",
        stacklevel=2,
    )
    return False


def _relink(merged: DictConfig, recorded: DictConfig) -> None:
    """Let callbacks follow the folders again that the record has resolved: `ledger=OTHER` is for them, too."""
    callbacks = merged.get("callbacks")
    for entry in callbacks.values() if isinstance(callbacks, DictConfig) else ():  # a record may hold anything
        for key in SHARED:
            if OmegaConf.is_dict(entry) and key in entry and entry[key] == recorded.get(key):
                entry[key] = f"${{{key}}}"


def _record(run: Path, setting: str = "resume") -> DictConfig:
    try:
        check_run(run)
    except ValueError as error:
        raise BadInput(str(error).replace("resume: ", f"{setting}: ", 1)) from error
    if not RunPaths(run).config.exists():
        raise BadInput(f"{setting}: {run} was not trained by tl train or tl run: it has no config.yaml")
    return read(run)


def _override(
    merged: DictConfig,
    config: DictConfig,
    choices: Mapping[str, Any],
    recorded: Mapping[str, Any],
    given: Sequence["Override"],
    branches: bool = False,
) -> None:
    """Put overrides on top of a record; `recorded` are the options that it was made of, `choices` those that hold."""
    start = f"{BRANCH}=RUN@stepN" if branches else "resume=PATH"
    # an option replaces its whole node, an option within it a part, and what is said of single settings comes last
    for override in sorted(given, key=lambda one: (name_of(one) not in choices, place_of(name_of(one)).count("."))):
        key, name = override.key_or_group, name_of(override)
        if key == "experiments" and override.value() is not None:
            raise BadInput(f"experiments: must be left out with {start}, which uses the settings of that run")
        if key.partition(".")[0].partition("/")[0] in _OF_THIS_COMMAND | {"experiments"}:
            continue
        if name == "curriculum" and choices.get(name) == CURRENT:
            continue  # the one that the record has
        if name in choices and not isinstance(override.value(), dict):  # which sets parts of the option's node
            if recorded.get(name) != choices[name]:  # else its settings are in the record, as the run has them
                place = place_of(name)
                node = _with_entries(OmegaConf.select(config, place), OmegaConf.select(merged, place))
                OmegaConf.update(merged, place, node, merge=False, force_add=True)
        elif override.is_delete():
            parent, _, last = key.rpartition(".")
            (OmegaConf.select(merged, parent) if parent else merged).pop(last, None)
        else:
            OmegaConf.update(merged, key, override.value(), merge=True, force_add=True)


def _with_entries(option: Any, before: Any) -> Any:
    """An option's node; of named entries (callbacks, loggers) those of the same class stay as they are recorded."""
    if not isinstance(option, DictConfig) or not isinstance(before, DictConfig) or "_target_" in option:
        return option
    mixed = copy.deepcopy(option)
    for name, entry in before.items():
        named = option.get(name)
        if (
            isinstance(entry, DictConfig)
            and isinstance(named, DictConfig)
            and current(entry._target_) == current(named._target_)
        ):
            mixed[name] = entry
    return mixed


def _runs(override: "Override") -> Iterator[Path]:
    """The runs that a `resume` or `branch_from` names by a path, one or the several of a sweep."""
    from hydra.core.override_parser.types import ChoiceSweep, QuotedString

    value: Any = override.value()
    for item in value.list if isinstance(value, ChoiceSweep) else [value]:
        text = item.text if isinstance(item, QuotedString) else str(item)
        try:
            run = Target.parse(text).run if override.key_or_group == BRANCH else Start.parse(text).run
        except ValueError:
            continue
        if run is not None:
            yield run


def _search_path(given: Sequence["Override"]) -> list[Path]:
    """The folders that the command line adds to those in which options are looked for."""
    found: list[Any] = [override.value() for override in given if override.key_or_group == "hydra.searchpath"]
    places = [str(getattr(place, "text", place)) for places in found for place in places]
    return [Path(place.removeprefix("file://")) for place in places if place.startswith(("file://", "/"))]


def _choices(run: Path) -> Mapping[str, Any]:
    """The options of a run's groups, in so far as it has recorded them. Raises BadInput if they are no options."""
    found = (read(run).get(CHOICES) or {}) if os.path.exists(RunPaths(run).config) else {}  # however long its name is
    check_choices(found, RunPaths(run).config)
    return found
