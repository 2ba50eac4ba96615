"""Compares runs: those with comparable scores form a group, the best first, with the settings that they differ in.

A mean over some tasks says nothing beside a mean over others, so these never stand in one ranking.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_search.report.rows import Row
from tl_search.runs.identity import flat
from tl_search.runs.layout import RunPaths
from tl_search.store.outside import read_yaml

_CLASS = "_target_"
# What columns and headings say, and what decides nothing, at any depth below these keys.
_SHOWN = {"checkpoints", f"bandit.{_CLASS}", f"sampling.{_CLASS}", "tasks.names", "tasks.confirmation_split"}
_IDLE = {"runs", "cache", "ledger", "embeddings", "logger", "choices", "plugins", "trust_remote_code", "name", "tags"}


@dataclass(frozen=True)
class Compared:
    """A run, the sampling that its search used, and the settings in which it differs from others of its group."""

    row: Row
    sampling: str | None
    varied: Mapping[str, Any]

    @property
    def changes(self) -> str:
        """`share=0.1 seed=1`: the last part of each key, as far as it tells them apart."""
        leaves = Counter(key.rpartition(".")[2] for key in self.varied)
        short = {key: leaf if leaves[leaf := key.rpartition(".")[2]] == 1 else key for key in self.varied}
        return " ".join(f"{short[key]}={as_word(value)}" for key, value in self.varied.items())


def compare(rows: Iterable[Row]) -> list[list[Compared]]:
    """Groups of runs with comparable scores, each with its best run first, and searches before trainings."""
    groups: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.is_training, row.like or ""), []).append(row)
    found = [_compared(sorted(group, key=_rank)) for group in groups.values()]
    return sorted(found, key=lambda group: (group[0].row.is_training, not group[0].row.like, _name(group[0].row)))


def _rank(row: Row) -> tuple[bool, float, str]:
    value = row.eval_loss if row.is_training else None if row.score is None else -row.score
    return value is None, value or 0.0, str(row.run)


def _name(row: Row) -> tuple[str, ...]:
    return row.tasks


def _compared(rows: Sequence[Row]) -> list[Compared]:
    configs = [_settings(row.run) for row in rows]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    there = [config for config in configs if config]
    differing = [key for key in keys if len({as_word(config.get(key, _ABSENT)) for config in there}) > 1]
    # the settings of another class are others anyway, so that its name is enough
    classes = {key.removesuffix(_CLASS) for key in differing if key.endswith(f".{_CLASS}")}
    hidden = (*_SHOWN, *_IDLE)
    told = [
        key
        for key in differing
        if not any(key == one or key.startswith(f"{one}.") for one in hidden)
        and not any(key.startswith(one) and key != f"{one}{_CLASS}" for one in classes)
    ]
    return [
        Compared(
            row,
            _class(config, "sampling"),
            {key.removesuffix(f".{_CLASS}"): _plain(key, config[key]) for key in told if key in config},
        )
        for row, config in zip(rows, configs, strict=True)
    ]


_ABSENT = object()


def _settings(run: Path) -> dict[str, Any]:
    """The leaves of a run's config; none where there is no config that can be read."""
    try:
        found = read_yaml(RunPaths(run).config)
    except (OSError, ValueError):
        return {}
    return flat(found) if isinstance(found, dict) else {}


def _class(config: Mapping[str, Any], key: str) -> str | None:
    target = config.get(f"{key}.{_CLASS}")
    return None if target is None else _plain(_CLASS, target)


def _plain(key: str, value: Any) -> Any:
    """A value as a table shows it; a class by its name without that of its kind, as `schedule=log`."""
    if not key.endswith(_CLASS):
        return value
    name, kind = str(value).rpartition(".")[2].lower(), key.removesuffix(f".{_CLASS}").rpartition(".")[2]
    return name.removesuffix(kind) or name


def as_word(value: Any) -> str:
    """A setting as a command line would take it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(as_word, value))}]"
    return str(value)
