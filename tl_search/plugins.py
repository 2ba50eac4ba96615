"""Parts that a config names by one word, a module each: ours, and those of packages that a person allows.

A loss term, a label-free metric and an embedded task are found by the name of their module. Beside our own folder of
each kind, the folder of the same name in every allowed package is looked at: `my_package/losses/margin.py` makes
`margin` a loss term. Allowing a package runs its code, so nothing but the person's own word does it.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

_ALLOWED = "TL_PLUGINS"  # in the environment, so that the processes which a run starts know them too


def allow(packages: Sequence[str]) -> None:
    """From now on in this process and those that it starts, exactly these packages may bring parts."""
    os.environ[_ALLOWED] = ",".join(packages)


def allowed() -> tuple[str, ...]:
    """Names of the packages that may bring parts."""
    return tuple(name for name in os.environ.get(_ALLOWED, "").split(",") if name)


def names(home: str) -> list[str]:
    """All parts of a kind, sorted; imports none of them.

    Args:
        home: The package that holds our own parts of the kind, such as `tl_search.training.losses`.
    """
    found = {module.name for place in _places(home) for module in iter_modules(place)}
    return sorted(name for name in found if not name.startswith("_"))


def find(home: str, name: str) -> ModuleType | None:
    """The module of a part, ours before others'; None where there is none."""
    for package in _packages(home):
        if name.isidentifier() and _spec(f"{package}.{name}"):
            return import_module(f"{package}.{name}")
    return None


def _packages(home: str) -> list[str]:
    kind = home.rpartition(".")[2]
    return [home, *(f"{package}.{kind}" for package in allowed())]


def _places(home: str) -> list[Sequence[str]]:
    specs = [_spec(package) for package in _packages(home)]
    return [spec.submodule_search_locations or [] for spec in specs if spec is not None]


def _spec(module: str) -> ModuleSpec | None:
    try:
        return find_spec(module)
    except ModuleNotFoundError:  # the package above it is not there
        return None
