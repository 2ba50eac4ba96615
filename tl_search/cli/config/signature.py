"""The arguments of a class's constructor, read from its source code, since importing Lightning takes seconds."""

import ast
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, Optional, Union

_TYPES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, bool, str, list, dict, tuple)},
    **{"Any": Any, "Literal": Literal, "Optional": Optional, "Union": Union},
    **{"Callable": Callable, "Iterable": Iterable, "Mapping": Mapping, "Sequence": Sequence},
}


def parameters(target: str) -> dict[str, str] | None:
    """Names of the constructor's parameters, each with its annotation as it is written.

    None when it takes any, or when the source does not tell.

    Args:
        target: Full name of a class in an installed package, which is not imported.

    Raises:
        LookupError: there is no such class.
    """
    module, _, name = target.rpartition(".")
    return _constructor(_definition(module, name))


def hint(annotation: str) -> Any:
    """The type that an annotation of `parameters` names; Any where it holds names of the library itself."""
    try:
        return eval(annotation, {"__builtins__": {}}, dict(_TYPES)) if annotation else Any
    except (NameError, AttributeError, SyntaxError, TypeError):
        return Any


def ancestry(target: str) -> list[str]:
    """A class and those that it is derived from, each by the name of the module that defines it, as far as files tell.

    Args:
        target: A name by which a module knows the class; that may be a name of another library's class.

    Raises:
        LookupError: there is no such class.
    """
    module, _, name = target.rpartition(".")
    found = _definition(module, name)
    if found is None:
        return []
    home, cls = found
    names = [f"{home}.{cls.name}"]
    for base in cls.bases:
        if isinstance(base, ast.Name):
            with suppress(LookupError):
                names += ancestry(f"{home}.{base.id}")
    return names


def _constructor(found: tuple[str, ast.ClassDef] | None) -> dict[str, str] | None:
    if found is None:
        return None
    module, cls = found
    for item in cls.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            given = item.args
            return (
                None
                if given.kwarg
                else {
                    argument.arg: ast.unparse(argument.annotation) if argument.annotation else ""
                    for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)
                    if argument.arg != "self"
                }
            )
    for base in cls.bases:
        if isinstance(base, ast.Name):
            try:
                return _constructor(_definition(module, base.id))
            except LookupError:
                continue
    return None


def _definition(module: str, name: str) -> tuple[str, ast.ClassDef] | None:
    """The module that defines the class which a module knows by a name, and the class; None where it cannot be told."""
    path = _source(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    starred = False
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom):
            starred |= node.names[0].name == "*"
            origin = [alias.name for alias in node.names if (alias.asname or alias.name) == name]
            if origin:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                return _definition(".".join([*parents, *([node.module] if node.module else [])]), origin[0])
    if starred:
        return None
    raise LookupError(f"there is no class {name} in {module}")


def _source(module: str) -> Path:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"there is no module {module}")
    place = Path(next(iter(spec.submodule_search_locations)), *rest)
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    raise LookupError(f"there is no module {module}")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
