"""Which run a folder holds: the part of a plan that decides the weights, kept in `run.json` and compared with."""

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tl_search import __version__
from tl_search.store.atomic import read_json, write_json
from tl_search.store.keys import digest
from tl_search.training.places import put_back
from tl_search.training.trainer import device_count

# What a resumed run may change: where and how it runs and what it says, not what it learns.
_FREE = frozenset(
    {"_target_", "accelerator", "devices", "num_nodes", "strategy", "log_every_n_steps", "profiler", "workers"}
)


def plain(value: Any) -> Any:
    """A config object as plain values, its class named."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        named = {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.name not in _FREE}
        return {"class": type(value).__name__, **named}
    return value


def plan_identity(parts: Mapping[str, Any], trainer: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The parts of a plan that decide the weights, as plain values."""
    kept = {key: plain(value) for key, value in trainer.items() if key not in _FREE}
    if (devices := device_count(trainer)) > 1:  # each reads a batch of its own
        kept["devices"] = devices
    return {**{name: plain(part) for name, part in parts.items()}, "trainer": kept, "seed": seed}


def as_recorded(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """A plan with the places that the folder's record gives: what lies there is compared by its digest."""
    path = folder / "run.json"
    known = read_json(path).get("plan") if path.exists() else None
    return put_back(known or {}, identity)


def claim(folder: Path, identity: Mapping[str, Any], **facts: Any) -> None:
    """Write the identity into the folder's `run.json`, beside what is there, or make sure that it is the same.

    Raises:
        ValueError: the folder holds a run of another plan; the message lists the values that differ.
    """
    path = folder / "run.json"
    known = read_json(path) if path.exists() else {}
    identity = as_recorded(folder, identity)
    for key, value in (("plan", identity), *facts.items()):
        if key in known and known[key] != value and key == "plan" and known.get("history"):
            raise ValueError(
                f"run: {folder} has been changed since it was started: {differences(value, known[key])}; "
                f"go on with it as it is now: resume={folder}, or use another folder (name=OTHER)"
            )
        if key in known and known[key] != value:
            raise ValueError(
                f"run: {folder} was started with another configuration: {differences(known[key], value)}; "
                "use another folder (name=OTHER), or the values it was started with"
            )
    own = {
        "command": "train",
        "name": folder.name,
        "digest": digest(identity),
        "seed": identity["seed"],
        "versions": _versions(),
        "plan": identity,
        **facts,
    }
    if any(key not in known for key in own):
        write_json(path, {**own, **known})


def differences(before: Any, now: Any, limit: int = 8) -> str:
    """`optimizer.lr was 0.001, now 0.002; …`, at most `limit` of them."""
    old, new = flat(before), flat(now)
    keys = [key for key in {**old, **new} if old.get(key, "absent") != new.get(key, "absent")]
    said = [f"{key or 'value'} was {old.get(key, 'absent')!r}, now {new.get(key, 'absent')!r}" for key in keys[:limit]]
    more = [f"and {len(keys) - limit} more"] if len(keys) > limit else []
    return "; ".join([*said, *more])


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a tree of mappings by their path: `optimizer.lr`."""
    if not isinstance(value, Mapping):
        return {path: value}
    return {
        key: leaf
        for name, item in value.items()
        for key, leaf in flat(item, f"{path}.{name}" if path else str(name)).items()
    }


def _versions() -> dict[str, str]:
    names = ("torch", "lightning", "transformers", "tokenizers")
    return {
        "python": sys.version.split()[0],
        "tl_search": __version__,
        **{name: version(name) for name in names},
    }
