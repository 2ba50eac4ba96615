"""Files that hold a schedule: what `output=` wrote, or the settings of the earlier checkpoint generator."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tl_search.cli.commands.schedule.old_files import old_schedule
from tl_search.cli.config.build import build
from tl_search.cli.config.convert import convert
from tl_search.cli.errors import BadInput, suggest
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import Schedule


@dataclass(frozen=True)
class ScheduleFile:
    """What a file says of a schedule.

    Args:
        schedule: Its rule.
        steps: What the rule came to in the run that it was written for; None in a file of the earlier generator.
        horizon: Of that run.
        notes: What became of the earlier generator's keys.
    """

    schedule: Schedule
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
    """The horizon that a `horizon` node gives; None if it leaves the run's length open. Raises BadInput."""
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
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:200]})") from error
