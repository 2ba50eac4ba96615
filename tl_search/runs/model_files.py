"""The files of a model that somebody else may have made: what a config claims has ceilings, and a fault is one line."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tl_search.runs.digests import CONFIG, COPY, weight_files
from tl_search.store.archives import check_archive
from tl_search.store.mistaken import mistaken
from tl_search.store.typed_json import read_mapping

# What a model is built of before its weights are looked at: the ends of keys → the largest number that is believed.
# The deepest models that were published have some 200 blocks.
_CEILINGS = {
    r"(layers?|blocks|depths?|stages?)": 1_000,
    r"experts": 4_096,
    r"labels": 100_000,
}
_PARTS = 100_000  # blocks times experts


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Within the block a library loads the model of a folder.

    Raises:
        ValueError: its config claims too much, a file of weights is none or a compressed archive, or it does not load;
            in one line that names the folder or the file.
    """
    check_files(folder)
    try:
        yield
    except Exception as error:  # the libraries carry out what the files say, so it can be anything
        raise ValueError(f"{folder}: does not load as a transformers model ({first_line(error)})") from error


def check_files(folder: Path) -> None:
    """Raises ValueError for a config that claims too much, and for weights that are something else than weights."""
    check_config(folder)
    for name in weight_files(path.name for path in folder.iterdir()):
        if said := mistaken(folder / name):
            raise ValueError(f"{folder / name}: {said}")
        check_archive(folder / name)


def check_config(folder: Path) -> None:
    """Raises ValueError if config.json is damaged, or claims a model of more parts than any has."""
    path = folder / CONFIG
    largest: dict[str, int] = {}
    for key, number in _numbers(read_mapping(path, COPY)):
        for pattern, ceiling in _CEILINGS.items():
            if re.search(rf"{pattern}$", key):
                if number > ceiling:
                    raise ValueError(f"{path}: {key}: must be at most {ceiling:,}, got {number:.6g}; {COPY}")
                largest[pattern] = max(number, largest.get(pattern, 1))
    layers, experts, _ = (largest.get(pattern, 1) for pattern in _CEILINGS)
    if layers * experts > _PARTS:
        raise ValueError(f"{path}: describes {layers:,} layers of {experts:,} experts, which no model has; {COPY}")


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value  # type: ignore[misc]


def first_line(error: Exception) -> str:
    """A library's error in one line, with control characters escaped."""
    return json.dumps(str(error).strip().partition("\n")[0] or type(error).__name__, ensure_ascii=False).strip('"')
