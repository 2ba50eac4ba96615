"""Finds families of published models: the YAML files in `families/`, here and in packages that the user allows.

To add a family, write `families/NAME.yaml`; `family.Family` says what it holds. No other file lists it.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from tl_search import plugins
from tl_search.checkpoints.family import Family, Published
from tl_search.checkpoints.naming import Naming
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import nearest_names, suggest
from tl_search.store.typed_json import fitting, from_plain

_HOME = "tl_search.checkpoints.families"
_BY_MODEL = {"main", "gaps", "steps", "starts", "tokens_per_step"}  # one value may stand for all models


def names() -> list[str]:
    """The names of all families, sorted."""
    return sorted(_files())


def named(name: str) -> Family:
    """The family of that name.

    Raises:
        ValueError: there is none, or its file does not say what a family is.
    """
    files = _files()
    if name not in files:
        raise ValueError(f"there is no family {name!r} of published models{suggest(name, files)}")
    return read(files[name])


def family_of(repository: str) -> Family | None:
    """The family whose model `ORGANISATION/MODEL` is; None if the registry has none."""
    return next((family for name in names() if (family := named(name)).has(repository)), None)


def near(repository: str) -> str:
    """The end of a message about a model that is not known: the registry's model with the most similar name, if any."""
    models = {model: f"{family.organisation}/{model}" for family in map(named, names()) for model in family.models}
    found = nearest_names(repository.rpartition("/")[2], models, 1, sizes=True)
    return f"; did you mean {models[found[0]]}?" if found and models[found[0]] != repository else ""


def matches(pattern: str, model: str) -> bool:
    """Whether an entry of a family's file is of a model."""
    return re.fullmatch(pattern, model) is not None


@lru_cache
def read(file: Path) -> Family:
    """The family that a file describes. Raises BadInput, which names the file and the entry."""
    import yaml

    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{file}: cannot be read ({' '.join(str(error).split())})") from error
    try:
        with fitting(file):
            checked = _checked(Family, told, "")
            checked["names"] = [_checked(Naming, entry, f"names[{place}].") for place, entry in
                                enumerate(checked.get("names") or [])]  # fmt: skip
            if isinstance(checked.get("models"), Mapping):
                sizes = checked["models"].items()
                checked["models"] = {model: entry for key, entry in sizes for model in expanded(str(key))}
            if checked.get("published") not in Published.__members__:
                raise ValueError(f"published: must be one of {', '.join(Published.__members__)}")
            return from_plain(Family, {**checked, "published": Published[checked["published"]], "name": file.stem})
    except (ValueError, re.error) as error:
        raise BadInput(str(error)) from error


def expanded(text: str) -> list[str]:
    """The words that a word with braces stands for, as in a shell: `a{1..3}` for a1, a2, a3, `a{,-b}` for a, a-b."""
    found = re.search(r"\{(?:(\d+)\.\.(\d+)|([^{}]*))\}", text)
    if found is None:
        return [text]
    first, last, listed = found.groups()
    middle = map(str, range(int(first), int(last) + 1)) if last else listed.split(",")
    return [f"{text[: found.start()]}{part}{rest}" for part in middle for rest in expanded(text[found.end() :])]


def _checked(cls: type, told: Any, where: str) -> dict[str, Any]:
    """The entries of a mapping; one with an unknown key is refused, and a value for all models is made a mapping."""
    if not isinstance(told, Mapping):
        raise ValueError(f"{where or 'it '}must be a mapping of names to values, got {told!r}")
    known = {field.name for field in fields(cls)} - ({"name"} if cls is Family else set())
    for key in told:
        if key not in known:
            raise ValueError(f"{where}{key}: unknown key{suggest(key, known)}")
    return {key: {".*": value} if key in _BY_MODEL and not isinstance(value, Mapping) else value
            for key, value in told.items()}  # fmt: skip


def _files() -> dict[str, Path]:
    """Name of a family → its file; ours before others' of the same name."""
    found: dict[str, Path] = {}
    for folder in plugins.folders(_HOME):
        for file in sorted(folder.glob("*.yaml")):
            found.setdefault(file.stem, file)
    return found
