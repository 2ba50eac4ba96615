"""Which command an experiment file is for: the one that its key `command` names, else each whose settings it fits."""

from collections.abc import Sequence
from functools import cache

from omegaconf import DictConfig

from tl_search.cli import commands
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

KEY = "command"


def check_purpose(command: str, overrides: Sequence[str], config: DictConfig) -> None:
    """Refuse an experiment that says that it is for another command. Raises BadInput."""
    if KEY not in config or config[KEY] is None:
        return
    if config[KEY] not in commands.NAMES:
        raise BadInput(
            f"{KEY}: must be the name of a command, got {config[KEY]!r}{suggest(config[KEY], commands.NAMES)}"
        )
    if config[KEY] not in (command, *commands.find(command).also_takes):
        raise BadInput(
            f"{_experiments(overrides) or KEY}: is for tl {config[KEY]}, not for tl {command}; "
            f"{KEY}={command} takes its settings all the same"
        )


def other_purpose(command: str, overrides: Sequence[str]) -> str | None:
    """The message for an experiment that fits only other commands; None where it fits none."""
    given = _experiments(overrides)
    places = [word for word in overrides if word.startswith("hydra.searchpath=")]
    fitting = [name for name in commands_with([*places, given]) if name != command] if given else []
    return f"{given}: is for {_listed(fitting)}, not for tl {command}" if fitting else None


@cache
def _settings(command: str) -> frozenset[str]:
    """The top-level settings and groups of a command; kept, since composing takes a while."""
    from hydra import compose

    return frozenset(map(str, compose(command)))


def commands_with(overrides: Sequence[str]) -> list[str]:
    """The commands that overrides can be composed with."""
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    found = []
    for name in commands.NAMES:
        try:
            config = compose(name, list(overrides))
        except (HydraException, OmegaConfBaseException):
            continue
        if config.get(KEY) in (None, name):
            found.append(name)
    return found


def not_of_this_command(key: str, command: str) -> str | None:
    """The message for a setting or group that only other commands have; None where no command has it."""
    having = [name for name in commands.NAMES if name != command and key in _settings(name)]
    instead = commands.find(command).instead.get(key)
    hint = f"; {instead}" if instead else ""
    return f"{key}: is a setting of {_listed(having)}, not of tl {command}{hint}" if having else None


def _experiments(overrides: Sequence[str]) -> str:
    """The word that names experiments; the last one counts."""
    return next((word for word in reversed(overrides) if word.startswith("experiments=")), "")


def _listed(names: Sequence[str]) -> str:
    first, last = [f"tl {name}" for name in names[:-1]], f"tl {names[-1]}"
    return f"{', '.join(first)} and {last}" if first else last
