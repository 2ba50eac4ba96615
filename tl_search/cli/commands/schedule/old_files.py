"""Files of the earlier checkpoint generator: its YAML keys, what each is called now, and the schedule they describe."""

import re
from collections.abc import Mapping
from typing import Any

from tl_search.cli.config.build import construct
from tl_search.cli.config.convert import convert
from tl_search.errors.kinds import BadInput
from tl_search.plane.schedule import EVEN
from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.plane.schedules.log import LogSchedule

SUCCESSORS = {  # the generator's key → what it is called now
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
# The generator's two kinds of spacing → our class, and the key that only the other kind uses.
KINDS: dict[str, tuple[type[LogSchedule | LinearSchedule], str]] = {
    "log": (LogSchedule, "linear_interval"),
    "linear": (LinearSchedule, "log_base"),
}


def old_schedule(content: Any) -> tuple[LogSchedule | LinearSchedule, list[str]]:
    """The schedule that an old file describes, and a line on each of its keys.

    Args:
        content: The parsed YAML; the keys are at its top level or under `training`.

    Raises:
        BadInput: it holds none of the keys, or a value that is not valid.
    """
    section = content.get("training", content) if isinstance(content, Mapping) else None
    given = {key: section[key] for key in SUCCESSORS if key in section} if isinstance(section, Mapping) else {}
    if not given:
        raise BadInput(f"has no setting of a schedule (known settings: {', '.join(SUCCESSORS)})")
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
        notes["min_checkpoint_interval"] += "; the earlier generator read this key but did not apply it"
    _first_epoch(settings, notes, spacing)
    settings["checkpoint_schedule"] = settings.get("checkpoint_schedule") or []
    if settings.get("auto_generate_checkpoints") is False and not settings["checkpoint_schedule"]:
        del settings["auto_generate_checkpoints"]  # a user then called the generator by hand, and it did generate
        notes["auto_generate_checkpoints"] += "; false without a checkpoint_schedule has no effect"
    return construct(cls, settings), list(notes.values())


def _first_epoch(settings: dict[str, Any], notes: dict[str, str], spacing: str) -> None:
    """Translate the two oldest keys to `first_epoch_checkpoints`, which has precedence over them if it is given."""
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
                notes["log_steps_first_epoch"] += "; schedule=linear then spaces the first epoch like the later ones"
    settings.setdefault("first_epoch_checkpoints", EVEN)  # the earlier generator's number, also for an only epoch
    if newest:
        for key in ("target_checkpoints", "log_steps_first_epoch"):
            if key in notes:
                notes[key] += "; not used, since first_epoch_checkpoints is given"


def _target(value: Any) -> tuple[int, str]:
    """The number of checkpoints in the first epoch, and a note on the numbers for other epochs, if there are any."""
    whose = ""
    if isinstance(value, Mapping) and value:
        first = min(value, key=_number)
        if len(value) > 1:
            whose = f": the {value[first]!r} of {first} is used; the numbers for later epochs have no successor"
        value = value[first]
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"target_checkpoints: must be a number of checkpoints, or one for each epoch, got {value!r}")
    return value, whose


def _number(key: Any) -> float:
    """The epoch's number in a key such as `epoch_2`; infinity for a key without a number, which so comes last."""
    digits = re.search(r"\d+", str(key))
    return int(digits.group()) if digits else float("inf")
