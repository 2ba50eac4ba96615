"""What a command line changed, in a few characters for the name of a run directory: `share0.1-pulls3`.

Only settings that decide something are named, since the same run may be started on another device or with another
logger; and only once, since the first part of the name holds the policy and the seed already.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from tl_search.cli.config.choices import name_of, parsed, place_of

SWEPT = "TL_SWEPT"  # variable that tells jobs, which may be in other processes, the keys that their sweep varies
MOST = 32  # characters of all parts together; where they are more, what the sweep varies is named first
_PART = 24  # characters of one
# Last parts of keys that say nothing beside their value; and groups whose settings say more than their options.
_SILENT, _SAID_BELOW = {"path", "name", "names", "models", "branch_from"}, {"checkpoints", "callbacks"}


def sweeping(keys: Iterable[str]) -> None:
    """Say which keys the jobs of this command line vary."""
    os.environ[SWEPT] = " ".join(keys)


def varied(settings: Mapping[str, Any], name: str, inherited: Mapping[str, str] | None = None) -> str:
    """The settings of the present job's command line, shortened; empty where it gives none, or outside of a job.

    Args:
        settings: Those that decide something, with their values (`naming.identity`).
        name: First part of the directory's name.
        inherited: Options that only stand on the command line since a branch's parent was made of them.
    """
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return ""
    hydra = HydraConfig.get()
    found: dict[str, str] = {}
    for override in parsed([str(word) for word in hydra.overrides.task]):
        key = name_of(override)
        if override.is_delete():
            said = f"no-{_leaf(key)}" if place_of(key).partition(".")[0] in settings else ""
        elif (inherited or {}).get(key) == hydra.runtime.choices.get(key, ""):
            said = ""
        elif key in hydra.runtime.choices:
            place = place_of(key)
            known = place not in _SAID_BELOW and _at(settings, place) is not None
            said = _plain(str(hydra.runtime.choices[key])) if known else ""
        elif isinstance(options := override.value(), list) and isinstance(_at(settings, key), Mapping):
            said = _plain("-".join(map(str, options)))  # several options of one group
        else:
            said = _changed(key, _at(settings, key, absent=""))
        if said and f"-{said}-" not in f"-{name}-":
            found[key] = said
    return _fitting(
        {key: found[key] for key in sorted(found, key=lambda key: (not key.startswith("checkpoints"), key))}
    )


def _changed(key: str, value: Any) -> str:
    """One setting and its value, or nothing for a setting that decides nothing."""
    leaf = _leaf(key)
    if value == "":
        return ""
    if value is None:
        return f"no-{leaf}"
    if leaf == "seed":
        return f"s{value}" if key == "seed" else f"{_plain(key)}{value}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _plain(f"{leaf}{value:g}" if isinstance(value, float) else f"{leaf}{value}")
    values = value if isinstance(value, list) else [*value.values()] if isinstance(value, Mapping) else [value]
    told = _plain("-".join(_last(item) for item in values))
    return told if leaf in _SILENT else _plain(f"{leaf}-{told}")


def _last(value: Any) -> str:
    """A value, or the end of a path; of a run, its name without the digest."""
    text = str(value)
    return re.sub(r"-[0-9a-f]{8}$", "", PurePath(text).name) if "/" in text else text


def _plain(text: str) -> str:
    """At most so many characters of those that a name may have."""
    return re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._]+", "-", text)).strip("-._")[:_PART].rstrip("-._")


def _fitting(parts: Mapping[str, str]) -> str:
    """As many parts as there is room for, in their order, and how many there are beside them."""
    swept, kept, left = os.environ.get(SWEPT, "").split(), set[str](), MOST
    for key in sorted(parts, key=lambda key: key not in swept):
        if len(parts[key]) > left:
            break
        kept.add(key)
        left -= len(parts[key]) + 1
    more = len(parts) - len(kept)
    return "-".join([part for key, part in parts.items() if key in kept] + ([f"{more}more"] if more else []))


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _at(settings: Mapping[str, Any], key: str, absent: Any = None) -> Any:
    value: Any = settings
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return absent
        value = value[name]
    return value
