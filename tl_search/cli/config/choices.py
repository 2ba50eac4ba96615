"""The options that a training run uses (`schedule: linear`), by Hydra's names of groups and packages."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.cli.config.ancestry import CHOICES, inherited
from tl_search.cli.config.naming import deciding_keys
from tl_search.errors.kinds import BadInput
from tl_search.plane.curriculum import CURRENT

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def parsed(overrides: Sequence[str]) -> list["Override"]:
    """A command line's settings, as Hydra reads them; inside `configs()` it also knows what their values may be."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    hydra = GlobalHydra.instance()
    loader = hydra.config_loader() if hydra.is_initialized() else None
    return OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))


def name_of(override: "Override") -> str:
    """As in Hydra's choices: `schedule`, `tasks@callbacks.plane_probe.tasks`; or the key of a setting."""
    return f"{override.key_or_group}@{override.package}" if override.package else str(override.key_or_group)


def place_of(name: str) -> str:
    """Where in the config the node of an option is."""
    group, _, package = name.partition("@")
    return package or group


def room_of(name: str) -> str:
    """The top-level key below which it is."""
    return place_of(name).partition(".")[0]


def check_choices(recorded: Any, where: Path) -> None:
    """Refuse what a run says about its options when it is more than names: they are put on the command line.

    Raises:
        BadInput: naming the option.
    """
    if not isinstance(recorded, Mapping):
        raise BadInput(f"{where}: {CHOICES}: must be a mapping of groups to options, got {recorded!r}")
    rooms = {*deciding_keys("train"), "logger"}
    for name, option in recorded.items():
        if not re.fullmatch(r"[a-z_]+(?:@[A-Za-z_][\w.-]*)?", str(name)) or room_of(str(name)) not in rooms:
            raise BadInput(f"{where}: {CHOICES}: {str(name)!r} is no group of a training's options")
        if not isinstance(option, str) or not re.fullmatch(r"\w[\w.+-]*", option) or ".." in option:
            raise BadInput(f"{where}: {CHOICES}.{name}: must be the name of an option, got {option!r}")


def chosen(before: Mapping[str, Any] | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the present job's training; `current` is the option of the run that it stands for.

    Args:
        before: Those that the resumed run was made of, which stay where the command line names none; None for a new
            run, whose options are all that Hydra has composed.
        config: The job's config.
    """
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return dict(before or {})
    hydra = HydraConfig.get()
    rooms = {*deciding_keys("train"), "logger"}
    composed = {
        str(name): option
        for name, option in hydra.runtime.choices.items()
        if isinstance(option, str) and room_of(str(name)) in rooms
    }
    if before is None:
        current = {name: option for name, option in inherited(config).items() if composed.get(name) == CURRENT}
        return {**composed, **current}
    given = (name_of(word) for word in parsed(list(hydra.overrides.task)))
    named = {room_of(name) for name in given if composed.get(name, CURRENT) != CURRENT}
    stay = {name: option for name, option in before.items() if room_of(str(name)) not in named}
    return {**stay, **{name: option for name, option in composed.items() if room_of(name) in named}}
