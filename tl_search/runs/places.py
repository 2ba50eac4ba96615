"""The settings for the places of a run's text and tokenizer. A place may change; digests identify what is there."""

import copy
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tl_search.text.paths import absolute, local

# Each such setting, and how it is written so that it can be found from any working directory.
PLACES: Mapping[str, Callable[[str], str]] = {
    "data.path": absolute,
    "data.corpus.path": absolute,
    "data.corpus.name": local,
    "tokenizer.name": local,
}


SOURCES = "data.corpus.sources"


def places(sources: Iterable[str]) -> dict[str, Callable[[str], str]]:
    """All such settings of a plan, or of a config, whose corpus has sources with these names."""
    start = "data.corpus."
    of_corpus = {key.removeprefix(start): way for key, way in PLACES.items() if key.startswith(start)}
    return {**PLACES, **{f"{SOURCES}.{name}.{leaf}": way for name in sources for leaf, way in of_corpus.items()}}


def moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The places on this machine that one plan gives otherwise than another.

    A name on the Hub is no place: another one is another text before it is downloaded.
    """
    sources = {**(_at(before, SOURCES) or {}), **(_at(now, SOURCES) or {})}
    pairs = {key: (_at(before, key), _at(now, key)) for key in places(sources)}
    return [key for key, (old, new) in pairs.items() if old and new and old != new and os.path.isabs(new)]


def put_back(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """`now` with the places of `before`, so that the two differ only in what decides the weights."""
    settled: dict[str, Any] = copy.deepcopy(dict(now))
    for key in moved(before, now):
        parent, _, leaf = key.rpartition(".")
        _at(settled, parent)[leaf] = _at(before, key)
    return settled


def _at(plan: Mapping[str, Any], key: str) -> Any:
    value: Any = plan
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
