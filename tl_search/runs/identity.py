"""The identity of a run: which settings must be the same for two runs to be the same run.

A class that a config may name has a table `DECIDES`, which puts each of its fields under one of four words:

- `weights`: the setting changes the trained weights. A run can only continue with the same value.
- `steps`: it changes how long a training is, or which steps have a revision. With `resume=RUN`, a run may continue
  with another value, which is then recorded.
- `files`: it changes other files of a run, such as states, scores and decisions.
- `free`: it only changes where and how fast the run works, and what it prints. No file depends on it.

The name of a run's directory holds a digest of all settings but the free ones (`named`); the plan in a training run's
record holds those that decide weights and steps (`plain`).
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from tl_search import plugins
from tl_search.runs.places import put_back
from tl_search.runs.record import RunRecord
from tl_search.store.keys import digest


class Decides(Enum):
    """What a setting decides, in falling order of weight."""

    weights = "weights"
    steps = "steps"
    files = "files"
    free = "free"


def decisions(cls: type) -> dict[str, Decides]:
    """What each field of a class decides, by the tables of the class and those that it inherits from.

    Raises:
        ValueError: a table has a word that is none of the four.
    """
    found: dict[str, Decides] = {}
    for owner in reversed(cls.__mro__):
        for word, names in vars(owner).get("DECIDES", {}).items():
            found |= {name: Decides(word) for name in names.split()}
    return found


def free_fields(cls: type) -> set[str]:
    """The fields of a class that decide nothing; a class without a table has none."""
    return {name for name, what in decisions(cls).items() if what is Decides.free}


def plain(value: Any) -> Any:
    """A config object as plain values, its class named, without its free fields.

    Fields that were added later (the class's `ADDED`) are left out at the value that means what was done before; those
    that have another name now have their first one (`FIRST`).
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        free, added = free_fields(type(value)), getattr(type(value), "ADDED", {})
        first = getattr(type(value), "FIRST", {})
        return {
            "class": type(value).__name__,
            **{
                first.get(one.name, one.name): plain(getattr(value, one.name))
                for one in fields(value)
                if one.name not in free and not (one.name in added and getattr(value, one.name) == added[one.name])
            },
        }
    return value


def named(tree: Any, tables: Mapping[str, set[str]]) -> Any:
    """A config as plain values without its free settings, of which a run directory's name holds a digest.

    Args:
        tree: The config; nodes name their classes in `_target_`.
        tables: Free settings of libraries' classes, by the class's full name.
    """
    if isinstance(tree, list):
        return [named(item, tables) for item in tree]
    if not isinstance(tree, Mapping):
        return tree
    target = str(tree.get("_target_", ""))
    free = tables.get(target, set()) if target in tables else _free_settings(target)
    return {str(key): named(item, tables) for key, item in tree.items() if key not in free}


def _free_settings(target: str) -> set[str]:
    module, _, name = target.rpartition(".")
    if not plugins.known(target):
        return set()
    try:
        return free_fields(getattr(import_module(module), name))
    except (ModuleNotFoundError, AttributeError):  # a misspelt class, which is refused when it is to be built
        return set()


def as_recorded(run: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan with the places that the run's record gives: what lies there is compared by its digest."""
    record = RunRecord.read(run)
    return put_back((record.plan if record else None) or {}, plan)


def claim(run: Path, plan: Mapping[str, Any], **facts: Any) -> None:
    """Enter a training's plan into the run's record, or make sure that it is the one which is there.

    Args:
        run: The run directory.
        plan: As `plain` gives it.
        facts: Other entries of the record, likewise: `weights`, `data`.

    Raises:
        ValueError: the folder holds a run of another plan; the message lists the values that differ.
    """
    record = RunRecord.read(run)
    plan = as_recorded(run, plan)
    given = {"plan": plan, **facts}
    if record is None:
        RunRecord("train", run.name, digest(plan), plan["seed"], **given).write(run)
        return
    known = {name: getattr(record, name) for name in given}
    for name, value in given.items():
        if known[name] is None or known[name] == value:
            continue
        if name == "plan" and record.history:
            raise ValueError(
                f"run: {run} has been changed since it was started: {differences(value, known[name])}; "
                f"go on with it as it is now: resume={run}, or use another folder (name=OTHER)"
            )
        raise ValueError(
            f"run: {run} was started with another configuration: {differences(known[name], value)}; "
            "use another folder (name=OTHER), or the values it was started with"
        )
    missing = {name: value for name, value in given.items() if known[name] is None}
    if missing:
        replace(record, **missing).write(run)


def differences(before: Any, now: Any, limit: int = 8) -> str:
    """`optimizer.lr was 0.001, now 0.002; …`, at most `limit` of them."""
    old, new = flat(before), flat(now)
    keys = [key for key in {**old, **new} if old.get(key, "absent") != new.get(key, "absent")]
    said = [
        f"{typed(key) or 'value'} was {old.get(key, 'absent')!r}, now {new.get(key, 'absent')!r}"
        for key in keys[:limit]
    ]
    more = [f"and {len(keys) - limit} more"] if len(keys) > limit else []
    return "; ".join([*said, *more])


def typed(key: str) -> str:
    """A setting of a plan as a person types it now."""
    return re.sub(r"^(curriculum\.stages\..+)\.losses\b", r"\1.weights", key)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a tree of mappings by their path: `optimizer.lr`."""
    if not isinstance(value, Mapping):
        return {path: value}
    return {
        key: leaf
        for name, item in value.items()
        for key, leaf in flat(item, f"{path}.{name}" if path else str(name)).items()
    }
