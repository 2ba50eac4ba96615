"""Schedules in the words of the earlier checkpoint generator: its YAML keys, and what each is called now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tl_search.cli.build import construct
from tl_search.cli.convert import convert
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
KINDS = {"log": (LogSchedule, "linear_interval"), "linear": (LinearSchedule, "log_base")}  # and the other's own key


def read_yaml(path: Path) -> Any:
    """The content of a YAML or JSON file. Raises BadInput in one line."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:200]})") from error


def old_schedule(content: Any, path: Path) -> tuple[LogSchedule | LinearSchedule, list[str]]:
    """The schedule that an old file asks for, and a line on each of its keys.

    Args:
        content: Of the file; the keys stand at its top or under `training`.
        path: For messages.

    Raises:
        BadInput: it holds none of the keys, or a value that makes no sense.
    """
    section = content.get("training", content) if isinstance(content, Mapping) else None
    given = {key: section[key] for key in SUCCESSORS if key in section} if isinstance(section, Mapping) else {}
    if not given:
        raise BadInput(f"{path}: holds no key of a schedule (known: {', '.join(SUCCESSORS)})")
    settings = dict(given)
    spacing = settings.pop("subsequent_epochs_spacing", "log")
    if spacing not in KINDS:
        raise BadInput(f"{path}: subsequent_epochs_spacing: must be log or linear, got {spacing!r}")
    cls, unused = KINDS[spacing]
    settings.pop(unused, None)
    notes = {key: f"{key} is now {SUCCESSORS[key]}" for key in given}
    if unused in given:
        notes[unused] += f", which schedule={spacing} does not use"
    if "target_checkpoints" in settings:
        settings.setdefault("first_epoch_checkpoints", _target(settings.pop("target_checkpoints"), path))
        settings.pop("target_checkpoints", None)
    if convert(settings.pop("log_steps_first_epoch", False), bool, f"{path}: log_steps_first_epoch"):
        settings["first_epoch_checkpoints"] = None
    settings["checkpoint_schedule"] = settings.get("checkpoint_schedule") or []
    if settings.get("auto_generate_checkpoints") is False and not settings["checkpoint_schedule"]:
        del settings["auto_generate_checkpoints"]  # the generator was then called by hand, and generated all the same
        notes["auto_generate_checkpoints"] += "; false without a checkpoint_schedule generates all the same"
    return construct(cls, settings, f"{path}: "), list(notes.values())


def _target(value: Any, path: Path) -> int:
    """How many checkpoints the first epoch was to have: a number, or that of the first entry of a mapping by epoch."""
    if isinstance(value, Mapping) and value:
        value = next(iter(value.values()))
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"{path}: target_checkpoints: must be a number of checkpoints, or one per epoch, got {value!r}")
    return value
