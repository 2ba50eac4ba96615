"""Files that hold a schedule: `output=` writes them; `from=` and `diff` read them and those of an earlier tool."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tl_search.cli.commands.schedule.old_files import old_schedule
from tl_search.cli.commands.schedule.text import summary
from tl_search.cli.config.build import build
from tl_search.cli.config.convert import convert
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest
from tl_search.figures.schedule import schedule_picture
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import Schedule
from tl_search.store.outside import read_yaml

SUFFIXES = (".yaml", ".json", ".png", ".svg")


@dataclass(frozen=True)
class ScheduleFile:
    """What a file holds, or what else `diff` compares.

    Args:
        steps: Its steps in the run that the file was written for; None in a file of the earlier generator.
        horizon: How long that run is; None if the file does not say.
        notes: One line on each key of the earlier generator: what it is called now.
    """

    schedule: Schedule | None
    steps: tuple[int, ...] | None = None
    horizon: Horizon | None = None
    notes: tuple[str, ...] = ()


def read_schedule(path: Path) -> ScheduleFile:
    """A file's schedule. Raises BadInput, in one line that begins with the path."""
    content = _read_yaml(path)
    try:
        if not isinstance(content, Mapping) or "steps" not in content:
            schedule, notes = old_schedule(content)
            return ScheduleFile(schedule, notes=tuple(notes))
        parts = build(OmegaConf.create({"schedule": content.get("schedule")}))
        return ScheduleFile(
            convert(parts["schedule"], Schedule, "schedule"),
            convert(content["steps"], tuple[int, ...], "steps"),
            given_horizon(content.get("horizon") or {}),
        )
    except (BadInput, ValueError) as error:
        raise BadInput(f"{path}: {error}") from error


def given_horizon(node: Any) -> Horizon | None:
    """The length that a `horizon` node of a config or file gives to the run; None if it gives none. Raises BadInput."""
    known = ("total", "epoch_ends")
    if not isinstance(node, Mapping):
        raise BadInput(f"horizon: must be given as horizon.total=STEPS or horizon.epoch_ends=[…], got {node!r}")
    for key in node:
        if key not in known:
            raise BadInput(f"horizon.{key}: unknown key{suggest(key, known)}")
    total = convert(node.get("total"), int | None, "horizon.total")
    ends = convert(node.get("epoch_ends") or [], tuple[int, ...], "horizon.epoch_ends")
    if total is None and not ends:
        return None
    try:
        return Horizon(max(1, ends[-1]) if total is None else total, ends)
    except ValueError as error:
        raise BadInput(f"horizon.{error}") from error


def _read_yaml(path: Path) -> Any:
    """The content of a YAML or JSON file. Raises BadInput in one line."""
    try:
        return read_yaml(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read as YAML ({error})") from error
    except ValueError as error:
        raise BadInput(str(error)) from error


def written(steps: Sequence[int], horizon: Horizon, schedule: Schedule, suffix: str) -> bytes:
    """The content of a file with this suffix; `read_schedule` reads those of text again."""
    content = {
        "schedule": _node(schedule),
        "horizon": {"total": horizon.total, "epoch_ends": list(horizon.epoch_ends)},
        "steps": list(steps),
    }
    if suffix == ".json":
        return (json.dumps(content, indent=1) + "\n").encode()
    if suffix == ".yaml":
        import yaml

        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120).encode()
    return schedule_picture(steps, horizon, suffix[1:], summary(steps))


def _node(value: Any) -> Any:
    """A schedule as the config node that builds it."""
    if dataclasses.is_dataclass(value):
        cls = type(value)
        named = {field.name: _node(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"_target_": f"{cls.__module__}.{cls.__qualname__}", **named}
    if isinstance(value, list | tuple):
        return [_node(item) for item in value]
    return value.name if isinstance(value, Enum) else value
