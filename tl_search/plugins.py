"""Finds parts that a config names by one word, in this package and in other packages that the user allows.

A loss term and a label-free metric are found by the name of their module, an embedded task by the name of its class in
any module of the folder. Beside our own folder of each kind, the folder of the same name in every allowed package is
searched: `my_package/losses/margin.py` makes `margin` a loss term, `class MarginSTS(…)` in `my_package/tasks/sts.py`
makes `MarginSTS` a task. Allowing a package runs its code, so only the user can allow it.
"""

import ast
import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

OURS = "tl_search."  # how the full names of our own classes begin
_ALLOWED = "TL_PLUGINS"  # in the environment, so that the processes which a run starts know them too


def allow(packages: Sequence[str]) -> None:
    """From now on, in this process and those that it starts, exactly these packages may add parts."""
    os.environ[_ALLOWED] = ",".join(packages)


def allowed() -> tuple[str, ...]:
    """Names of the packages that may add parts."""
    return tuple(name for name in os.environ.get(_ALLOWED, "").split(",") if name)


def known(name: str) -> bool:
    """Whether a class or a module, by its full name, is ours or that of an allowed package: a config builds both."""
    return f"{name}.".startswith((OURS, *(f"{package}." for package in allowed())))


def names(home: str) -> list[str]:
    """All parts of a kind, sorted; imports none of them.

    Args:
        home: The package that holds our own parts of the kind, such as `tl_search.training.losses`.
    """
    return sorted({module.rpartition(".")[2] for module in _modules(home)})


def classes(home: str) -> dict[str, str]:
    """The classes of a kind → the modules that define them; their files are read, none is imported.

    Private classes and those without a base are not of the kind. Of two with one name ours counts, then the first.

    Args:
        home: As for `names`.

    Raises:
        ValueError: a file is not valid Python.
    """
    found: dict[str, str] = {}
    for module in _modules(home):
        spec = _spec(module)
        source = spec.loader.get_source(module) if spec and isinstance(spec.loader, InspectLoader) else None
        try:
            tree = ast.parse(source or "")
        except SyntaxError as error:
            raise ValueError(f"{module}: {error}") from error
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.bases and not node.name.startswith("_"):
                found.setdefault(node.name, module)
    return found


def find(home: str, name: str) -> ModuleType | None:
    """The module of a part, ours before others'; None where there is none."""
    for package in _packages(home):
        if name.isidentifier() and _spec(f"{package}.{name}"):
            return import_module(f"{package}.{name}")
    return None


def folders(home: str) -> list[Path]:
    """The folders of a kind, ours first, for parts that are files of data and no modules."""
    specs = (_spec(package) for package in _packages(home))
    return [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]


def _packages(home: str) -> list[str]:
    kind = home.rpartition(".")[2]
    return [home, *(f"{package}.{kind}" for package in allowed())]


def _modules(home: str) -> Iterator[str]:
    for package in _packages(home):
        spec = _spec(package)
        folders: Sequence[str] = (spec and spec.submodule_search_locations) or []
        yield from (f"{package}.{found.name}" for found in iter_modules(folders) if not found.name.startswith("_"))


def _spec(module: str) -> ModuleSpec | None:
    try:
        return find_spec(module)
    except ModuleNotFoundError:  # the package above it is not there
        return None
