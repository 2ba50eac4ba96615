"""`branch_from=RUN@stepN`: what a command line says of the run whose state a training begins with."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.errors.kinds import BadInput
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import RunRecord
from tl_search.runs.settings import read_settings
from tl_search.runs.states import named_state
from tl_search.runs.target import BEST, Target

CHOICES = "choices"  # the options of a run, in its config.yaml
KEY, POLICIES = "branch_from", "branch"


def parent_of(config: Mapping[str, Any]) -> Target | None:
    """The parent that a config names, as an absolute path and with the step of its state: the best may change.

    Raises:
        BadInput: it is no text, or the parent has no best state.
    """
    text = config.get(KEY)
    if text is None:
        return None
    if not isinstance(text, str) or not text:
        raise BadInput(f"{KEY}: must be RUN@stepN or RUN@best, got {text!r}")
    target = Target.parse(text)
    try:
        name = named_state(target.run, BEST).name if target.name == BEST else target.name
    except ValueError as error:
        raise BadInput(str(error).replace("resume: ", f"{KEY}: ", 1)) from error
    return Target(target.run.resolve(), name)


def ancestor(text: str) -> str:
    """The parent as digests know it: its own digest and the step, wherever it lies. One that is gone is its path."""
    target = Target.parse(text)
    record = RunRecord.read(target.run) if target.run.is_dir() else None
    parent = parent_of({KEY: text}) if record else None
    return text if record is None or parent is None else f"{record.digest}-{parent.name}"


def settle(config: DictConfig) -> None:
    """Let a config name its parent so that it is the same one from any working directory, and tomorrow."""
    if config.get(KEY) and Target.parse(config[KEY]).run.is_dir():
        OmegaConf.update(config, KEY, str(parent_of(config)))


def inherited(config: Mapping[str, Any]) -> Mapping[str, str]:
    """The options that a branch's parent was made of, which stand in front of the command line that a person gave."""
    parent = parent_of(config)
    path = RunPaths(parent.run).config if parent else None
    return (read_settings(parent.run).get(CHOICES) or {}) if parent and path and path.is_file() else {}
