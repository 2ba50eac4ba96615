"""Converts plain config values to the types that a class declares, or says in one sentence why it cannot.

Such a sentence is `must be an integer, got 'eight'`.

The type annotation of a field says what is allowed. Where a text is expected, numbers and booleans are refused, since
YAML reads texts such as `010`, `no` and `1e5` as numbers and booleans.
"""

import collections.abc
import math
import sys
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest

SMALLEST, LARGEST = -(2**63), 2**63 - 1  # what a file of a run and a tensor can hold

SEQUENCES = (tuple, list, collections.abc.Sequence, collections.abc.Iterable)
MAPPINGS = (dict, collections.abc.Mapping)


class Made:
    """Stands for a class of a library that is not imported here: a node with its `_target_` makes an object of it."""


def hints(function_or_class: Any) -> dict[str, Any]:
    """The type annotations by name; those that cannot be resolved (imported only for type checkers) are Any."""
    try:
        return typing.get_type_hints(function_or_class)
    except NameError:
        namespace = vars(sys.modules[function_or_class.__module__])
        found = {}
        for name, hint in function_or_class.__annotations__.items():
            try:
                found[name] = eval(hint, dict(namespace)) if isinstance(hint, str) else hint
            except NameError:
                found[name] = Any
        return found


def convert(value: Any, hint: Any, path: str) -> Any:
    """`value` as the type that `hint` names. Raises BadInput, which begins with `path`, if it cannot be converted."""
    origin = get_origin(hint) or hint
    if origin in (Union, types.UnionType):
        return _union(value, get_args(hint), path)
    if origin is typing.Literal:
        if not any(type(word) is type(value) and word == value for word in get_args(hint)):
            raise BadInput(f"{path}: must be {describe(hint)}, got {value!r}")
        return value
    if origin in SEQUENCES:
        return _sequence(value, hint, path)
    if origin in MAPPINGS:
        return _mapping(value, hint, path)
    if hint is Any or not isinstance(origin, type) or origin is object:
        return value
    if issubclass(origin, Enum):
        return _member(value, origin, path)
    if origin in (bool, int, float, str, Path, type(None)):
        return _scalar(value, origin, path)
    return _object(value, origin, path)


def _scalar(value: Any, kind: type, path: str) -> Any:
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e6 is how people write a million
    if kind is int and isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        raise BadInput(f"{path}: must be an integer of at most 64 bits, got {value:.6g}")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and number:
        return _as_float(value, path)
    if kind is Path and isinstance(value, (str, Path)) and str(value):
        return Path(value)
    if kind is not float and isinstance(value, kind) and (kind is not int or number):
        return value
    raise BadInput(f"{path}: must be {describe(kind)}, got {value!r}{_advice(value, kind)}")


def _as_float(value: float, path: str) -> float:
    try:
        if math.isfinite(value):
            return float(value)
    except OverflowError:  # an integer that no float can hold
        value = math.inf
    raise BadInput(f"{path}: must be a finite number, got {value}")


def _advice(value: Any, kind: type) -> str:
    if value is None and kind is not type(None):
        return " (null is not allowed)"
    return "; put it in quotes" if kind is str and isinstance(value, (bool, int, float)) else ""


def describe(hint: Any) -> str:
    """A type in words."""
    words = {int: "an integer", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    if hint is type(None):
        return "null"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(member.name for member in hint)
    origin = get_origin(hint) or hint
    if origin is typing.Literal:
        return "one of " + ", ".join(dict.fromkeys(map(str, get_args(hint))))
    if isinstance(origin, type) and issubclass(origin, Made):
        return f"a {origin.__name__} (a node with its _target_)"
    if origin in SEQUENCES:
        return "a list"
    if origin in MAPPINGS:
        return "a mapping of names to values"
    return words.get(hint, getattr(hint, "__name__", str(hint)))


def members(hint: Any) -> tuple[Any, ...]:
    """The types of a union; of another type, itself alone."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _union(value: Any, members: tuple[Any, ...], path: str) -> Any:
    if value is None and type(None) in members:
        return None
    words = tuple(word for member in members if get_origin(member) is typing.Literal for word in get_args(member))
    rest = [member for member in members if not (member is type(None) or get_origin(member) is typing.Literal)]
    rest += [typing.Literal[words]] if words else []
    members = (*rest, type(None)) if type(None) in members else tuple(rest)
    if len(rest) == 1:
        return convert(value, rest[0], path)
    of_names = [member for member in rest if (get_origin(member) or member) in MAPPINGS]
    if isinstance(value, dict) and len(of_names) == 1:  # so that the message is about what is wrong in it
        return convert(value, of_names[0], path)
    for member in sorted(rest, key=lambda member: member is float):  # 3 stays an integer where both are allowed
        try:
            return convert(value, member, path)
        except BadInput:
            continue
    wanted = list(dict.fromkeys(describe(member) for member in members))
    raise BadInput(f"{path}: must be {' or '.join(wanted)}, got {value!r}")


def _member(value: Any, kind: type[Enum], path: str) -> Enum:
    if isinstance(value, kind):
        return value
    for member in kind:
        if value == member.name:
            return member
    if value is None and "none" in kind.__members__:  # YAML's null is easily meant as the word
        return kind["none"]
    close = suggest(value, kind.__members__).partition(" (")[0]
    raise BadInput(f"{path}: must be {describe(kind)}, got {value!r}{close}")


def _sequence(value: Any, hint: Any, path: str) -> Any:
    if not isinstance(value, (list, tuple)):
        alone = f"; [{value}] is a list of one" if isinstance(value, str) else ""
        raise BadInput(f"{path}: must be a list, got {value!r}{alone}")
    members = get_args(hint)
    if get_origin(hint) is tuple and members and members[-1] is not Ellipsis:
        if len(value) != len(members):
            raise BadInput(f"{path}: must be a list of {len(members)}, got {len(value)}: {list(value)!r}")
        return tuple(
            convert(item, member, f"{path}[{n}]") for n, (item, member) in enumerate(zip(value, members, strict=True))
        )
    member = members[0] if members else Any
    items = [convert(item, member, f"{path}[{n}]") for n, item in enumerate(value)]
    return items if (get_origin(hint) or hint) is list else tuple(items)


def _mapping(value: Any, hint: Any, path: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{path}: must be a mapping of names to values, got {value!r}")
    key_hint, value_hint = get_args(hint) or (Any, Any)
    return {
        convert(key, key_hint, f"{path} (its keys)"): convert(item, value_hint, f"{path}.{key}")
        for key, item in value.items()
    }


def _object(value: Any, kind: type, path: str) -> Any:
    """Checks an object that was built from a nested node, for a field whose type is a class or a Protocol."""
    plain = value is None or isinstance(value, (bool, int, float, str, list, tuple, dict))
    if issubclass(kind, Made):
        fits = not plain or (isinstance(value, dict) and "_target_" in value)
    elif getattr(kind, "_is_protocol", False):
        wanted = {name for name in {**vars(kind), **getattr(kind, "__annotations__", {})} if not name.startswith("_")}
        # a property is not asked for its value, which may be refused
        fits = not plain and all(hasattr(type(value), name) or hasattr(value, name) for name in wanted)
    else:
        fits = isinstance(value, kind)
    if not fits:
        got = repr(value) if plain else type(value).__name__
        raise BadInput(f"{path}: must be a {kind.__name__} (a node with its _target_), got {got}")
    return value
