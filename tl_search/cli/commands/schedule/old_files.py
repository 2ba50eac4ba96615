"""Schedules in the words of the earlier checkpoint generator: its YAML keys, and what each is called now."""

import re
from collections.abc import Mapping
from typing import Any

from tl_search.cli.config.build import construct
from tl_search.cli.config.convert import convert
from tl_search.cli.errors import BadInput
from tl_search.plane.schedule import LinearSchedule, LogSchedule

SUCCESSORS = {
    "auto_generate_checkpoints": "schedule.auto_generate_checkpoints",
    "first_epoch_checkpoints": "schedule.first_epoch_checkpoints",
    "subsequent_epochs_spacing": "schedule=log or schedule=linear",
    "log_base": "schedule.log_base",
    "linear_interval": "schedule.linear_interval",
    "min_checkpoint_interval": "schedule.min_checkpoint_interval",
    "checkpoint_schedule": "schedule.checkpoint_schedule",
    "target_checkpoints": "schedule.first_epoch_checkpoints",
    "log_steps_first_epoch": "schedule.first_epoch_checkpoints=null",
}
KINDS: dict[str, tuple[type[LogSchedule | LinearSchedule], str]] = {  # and the other's own key
    "log": (LogSchedule, "linear_interval"),
    "linear": (LinearSchedule, "log_base"),
}


def old_schedule(content: Any) -> tuple[LogSchedule | LinearSchedule, list[str]]:
    """The schedule that an old file asks for, and a line on each of its keys.

    Args:
        content: Of the file; the keys stand at its top or under `training`.

    Raises:
        BadInput: it holds none of the keys, or a value that makes no sense.
    """
    section = content.get("training", content) if isinstance(content, Mapping) else None
    given = {key: section[key] for key in SUCCESSORS if key in section} if isinstance(section, Mapping) else {}
    if not given:
        raise BadInput(f"holds no key of a schedule (known: {', '.join(SUCCESSORS)})")
    notes = {key: f"{key} is now {SUCCESSORS[key]}" for key in given}
    settings = dict(given)
    spacing = settings.pop("subsequent_epochs_spacing", "log")
    if not isinstance(spacing, str) or spacing not in KINDS:
        raise BadInput(f"subsequent_epochs_spacing: must be log or linear, got {spacing!r}")
    cls, unused = KINDS[spacing]
    settings.pop(unused, None)
    if unused in given:
        notes[unused] += f", which schedule={spacing} does not use"
    if given.get("min_checkpoint_interval"):
        notes["min_checkpoint_interval"] += "; the earlier generator read it, but never applied it: 0 spaces as it did"
    _first_epoch(settings, notes, spacing)
    settings["checkpoint_schedule"] = settings.get("checkpoint_schedule") or []
    if settings.get("auto_generate_checkpoints") is False and not settings["checkpoint_schedule"]:
        del settings["auto_generate_checkpoints"]  # the generator was then called by hand, and generated all the same
        notes["auto_generate_checkpoints"] += "; false without a checkpoint_schedule generates all the same"
    return construct(cls, settings), list(notes.values())


def _first_epoch(settings: dict[str, Any], notes: dict[str, str], spacing: str) -> None:
    """Put what the two oldest keys say in the words of `first_epoch_checkpoints`, which overrules them."""
    newest = "first_epoch_checkpoints" in settings
    if "target_checkpoints" in settings:
        count, whose = _target(settings.pop("target_checkpoints"))
        notes["target_checkpoints"] += whose
        settings.setdefault("first_epoch_checkpoints", count)
    if "log_steps_first_epoch" in settings:
        by_log = convert(settings.pop("log_steps_first_epoch"), bool, "log_steps_first_epoch")
        if by_log and not newest:
            settings["first_epoch_checkpoints"] = None
            if spacing == "linear":
                notes["log_steps_first_epoch"] += ", which spaces it by schedule=linear like the later ones"
    if newest:
        for key in ("target_checkpoints", "log_steps_first_epoch"):
            if key in notes:
                notes[key] += "; not used, since first_epoch_checkpoints is given"


def _target(value: Any) -> tuple[int, str]:
    """How many checkpoints the first epoch was to have, and what is to be said of the other epochs."""
    whose = ""
    if isinstance(value, Mapping) and value:
        first = min(value, key=_number)
        if len(value) > 1:
            whose = f": the {value[first]!r} of {first}; the counts of later epochs have no successor"
        value = value[first]
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"target_checkpoints: must be a number of checkpoints, or one per epoch, got {value!r}")
    return value, whose


def _number(key: Any) -> float:
    """Which epoch a key such as `epoch_2` means; one without a number comes last, in the order of the file."""
    digits = re.search(r"\d+", str(key))
    return int(digits.group()) if digits else float("inf")
