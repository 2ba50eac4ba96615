"""Types from annotations in a library's source code, as far as its files tell them; nothing is carried out for it.

`Optional[_PRECISION_INPUT]` is read like this: the name is looked up where the module has it from, and so on, until
there are only Python's own types. A class of the library is a type that nothing but a node with its `_target_` fits.
"""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional, Union

from tl_search.cli.config.convert import Made
from tl_search.cli.config.source_code import find, origin

_OWN: dict[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, bool, str, list, dict, tuple)},
    **{"Any": Any, "Literal": Literal, "Optional": Optional, "Union": Union, "None": None, "object": object},
    **{"Callable": Callable, "Iterable": Iterable, "Mapping": Mapping, "Sequence": Sequence, "Path": Path},
    **{"List": list, "Dict": dict, "Tuple": tuple},
}
_MODULES = ("typing", "typing_extensions", "collections.abc", "pathlib")
_DEEPEST = 20  # names that stand for others: two that stand for each other are no type


def type_of(annotation: ast.expr | None, module: str, depth: int = 0) -> Any:
    """The type that an annotation in a module's source names; Any where it is not told."""
    if annotation is None or depth > _DEEPEST:
        return Any
    match annotation:
        case ast.Constant(value=str() as text):  # a name that is quoted, since it is known only later
            try:
                return type_of(ast.parse(text, mode="eval").body, module, depth + 1)
            except SyntaxError:
                return Any
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union(type_of(left, module, depth + 1), type_of(right, module, depth + 1))
        case ast.Name(id=name):
            return _named(name, module, depth)
        case ast.Attribute(value=ast.Name(id="typing"), attr=name):
            return _OWN.get(name, Any)
        case ast.Attribute(attr=name):
            return _made(name)
        case ast.Subscript(value=base, slice=inner):
            return _with_members(type_of(base, module, depth + 1), inner, module, depth)
    return Any


def _named(name: str, module: str, depth: int) -> Any:
    taken = origin(module, name)
    if taken in _MODULES or (not taken and name in _OWN):
        return _OWN.get(name, Any)
    try:
        found = find(module, name)
    except LookupError:
        return _made(name) if taken else Any  # of a module that is no package, such as datetime
    if found is None:
        return Any
    home, what = found
    return _made(name) if isinstance(what, ast.ClassDef) else type_of(what, home, depth + 1)


def _with_members(base: Any, inner: ast.expr, module: str, depth: int) -> Any:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if base is Literal:
        words = tuple(part.value for part in parts if isinstance(part, ast.Constant))
        return Literal[words] if len(words) == len(parts) else Any
    if base is Callable or base is Any or (isinstance(base, type) and issubclass(base, Made)):
        return base
    members = tuple(
        Ellipsis if isinstance(part, ast.Constant) and part.value is Ellipsis else type_of(part, module, depth + 1)
        for part in parts
    )
    if base is Optional:
        return _union(members[0], None)
    if base is Union:
        return _union(*members)
    try:
        return base[members]
    except TypeError:
        return Any


def _union(*members: Any) -> Any:
    return Union[members]  # noqa: UP007  the members are known only here


def _made(name: str) -> type:
    return type(name, (Made,), {})
