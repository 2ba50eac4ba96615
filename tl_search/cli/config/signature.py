"""The arguments of a class's constructor, read from its source code, since importing Lightning takes seconds."""

import ast
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from tl_search.cli.config.annotations import type_of
from tl_search.cli.config.source_code import Statement, find


@dataclass(frozen=True)
class Signature:
    """What a constructor takes.

    Args:
        types: The type of each parameter by its name; Any where the source does not tell.
        more: Whether it takes other names, too, or may do so.
    """

    types: Mapping[str, Any]
    more: bool


@cache
def signature(target: str) -> Signature:
    """What the constructor of a class takes.

    Args:
        target: Full name of a class in an installed package, which is not imported.

    Raises:
        LookupError: there is no such class.
    """
    module, _, name = target.rpartition(".")
    return _constructor(_class(module, name))


def ancestry(target: str) -> list[str]:
    """A class and those that it is derived from, each by the name of the module that defines it, as far as files tell.

    Args:
        target: A name by which a module knows the class; that may be a name of another library's class.

    Raises:
        LookupError: there is no such class.
    """
    module, _, name = target.rpartition(".")
    found = _class(module, name)
    if found is None:
        return []
    home, cls = found
    names = [f"{home}.{cls.name}"]
    for base in cls.bases:
        if isinstance(base, ast.Name):
            with suppress(LookupError):
                names += ancestry(f"{home}.{base.id}")
    return names


def _class(module: str, name: str) -> tuple[str, ast.ClassDef] | None:
    found: tuple[str, Statement] | None = find(module, name)
    if found is None:
        return None
    home, what = found
    if isinstance(what, ast.ClassDef):
        return home, what
    if isinstance(what, ast.Name) and what.id != name:  # another name for a class
        return _class(home, what.id)
    raise LookupError(f"there is no class {name} in {module}")


def _constructor(found: tuple[str, ast.ClassDef] | None) -> Signature:
    if found is None:
        return Signature({}, more=True)
    module, cls = found
    for item in cls.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            given = item.args
            _, *named = *given.posonlyargs, *given.args, *given.kwonlyargs  # the first one is self
            types = {argument.arg: type_of(argument.annotation, module) for argument in named}
            return Signature(types, more=given.kwarg is not None)
    for base in cls.bases:
        if isinstance(base, ast.Name):
            try:
                return _constructor(_class(module, base.id))
            except LookupError:
                continue
    return Signature({}, more=True)
