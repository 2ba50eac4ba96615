"""Prints picked revisions in the forms that other programs read."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from tl_search.plane.revision import Revision


class Format(Enum):
    """How the picked revisions are printed."""

    table = "table"
    list = "list"
    yaml = "yaml"
    json = "json"
    python = "python"
    override = "override"


def printed(form: Format, picked: Mapping[str, Sequence[Revision]], found: Any) -> str:
    """The picked revisions of each model.

    With `list`, several models are told apart by their name and a tab before each revision; with `yaml` and `python`,
    by a mapping.

    Args:
        picked: Model's full name → its revisions.
        found: What `json` prints: all that there is to know of them.

    Raises:
        ValueError: `override` is asked for several models, and a search takes one.
    """
    names = {model: [revision.name for revision in revisions] for model, revisions in picked.items()}
    alone = next(iter(names.values())) if len(names) == 1 else None
    if form is Format.json:
        return json.dumps(found, indent=2)
    if form is Format.list:
        lines = alone or [f"{model}\t{name}" for model, listed in names.items() for name in listed]
        return "\n".join(lines)
    if form is Format.yaml:
        import yaml

        return yaml.safe_dump({"revisions": alone or names}, sort_keys=False, default_style=None).rstrip()
    if form is Format.python:
        return f"revisions = {alone or names!r}"
    if alone is None:
        raise ValueError(f"format: override is for one model, since a search takes one, got {len(names)}")
    return f"sampling=list sampling.revisions=[{','.join(alone)}]"
