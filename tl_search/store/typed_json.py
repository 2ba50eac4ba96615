"""Writes frozen dataclasses as JSON and reads them: the keys of a file are the fields of the class, in their order.

What is wrong with a file is one line for a person: the file, the entry, and what heals it. A class says the last in its
`HEALED_BY`.
"""

import math
import reprlib
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tl_search.store.atomic import write_json
from tl_search.store.outside import LIMIT, read_json

T = TypeVar("T")

_LARGEST = 2**63 - 1  # what numpy and torch can count


def write_record(path: Path, record: Any) -> None:
    """Replace the file by the record's fields; those that its `OPTIONAL` names are left out at their default."""
    write_json(path, to_plain(record))


def read_record(cls: type[T], path: Path) -> T:
    """The record that a file holds; entries that the class does not know are ignored.

    Raises:
        ValueError: the file is missing, damaged, or lacks an entry; the message names the file and what heals it.
    """
    with reading(path, getattr(cls, "HEALED_BY", ""), getattr(cls, "LIMIT", LIMIT)) as value:
        return from_plain(cls, value)


def read_mapping(path: Path, healed_by: str = "") -> dict[str, Any]:
    """The entries of a file whose form is not ours, such as a model's config. Raises ValueError as `read_record`."""
    with reading(path, healed_by) as value:
        return dict(_of(Mapping, value, ""))


@contextmanager
def reading(path: Path, healed_by: str = "", limit: int = LIMIT) -> Iterator[Any]:
    """The value of a file of at most `limit` bytes; what goes wrong in it is one line: the file, and what heals it."""
    if not path.exists():
        raise ValueError(f"{path}: missing; is {path.parent} the folder of a run?")
    try:
        value = read_json(path, limit)
    except ValueError as error:
        raise ValueError(f"{error}{_then(healed_by)}") from error
    with fitting(path, healed_by):
        yield value


@contextmanager
def fitting(place: object, healed_by: str = "") -> Iterator[None]:
    """What does not fit in a file's value becomes one line that names the file, or a place in it."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{place}: damaged, has no entry {error}{_then(healed_by)}") from error
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{place}: damaged ({error}){_then(healed_by)}") from error


def _then(healed_by: str) -> str:
    return f"; {healed_by}" if healed_by else ""


def to_plain(value: Any) -> Any:
    """A record as what JSON can say."""
    if is_dataclass(value):
        optional = getattr(value, "OPTIONAL", ())
        held = {field: getattr(value, field.name) for field in fields(value)}
        return {f.name: to_plain(item) for f, item in held.items() if f.name not in optional or item != _default(f)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "plain"):  # a form of its own
        return value.plain()
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def from_plain(hint: Any, value: Any, name: str = "") -> Any:
    """`value` as the type that `hint` names.

    Raises:
        ValueError: it is of another form; the message has the entry's name.
        KeyError: an entry is missing.
    """
    origin = get_origin(hint) or hint
    if origin in (Union, types.UnionType):
        member = next(one for one in get_args(hint) if one is not type(None))
        return None if value is None else from_plain(member, value, name)
    if isinstance(origin, type) and issubclass(origin, tuple) and hasattr(origin, "read"):  # a form of its own
        return origin.read(value)
    if isinstance(origin, type) and is_dataclass(origin):
        return _record(origin, value, name)
    if origin is tuple:
        items = _of(Sequence, value, name)
        return tuple(from_plain(get_args(hint)[0], item, f"{name}[{number}]") for number, item in enumerate(items))
    if origin in (dict, Mapping):
        member = get_args(hint)[1]
        return {str(key): from_plain(member, item, f"{name}.{key}") for key, item in _of(Mapping, value, name).items()}
    if origin is float:
        if not math.isfinite(number := float(_of((int, float), value, name))):
            raise ValueError(f"{name or 'it'} is {number}")
        return number
    if origin is int and not -_LARGEST <= _of(int, value, name) <= _LARGEST:
        raise ValueError(f"{name or 'it'} is {reprlib.repr(value)}")
    return _of(origin, value, name) if origin in (int, str, bool) else value


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _record(cls: type[T], value: Any, name: str) -> T:
    given, known = _of(Mapping, value, name), get_type_hints(cls)
    found = {}
    for field in fields(cls):  # type: ignore[arg-type]  # asked for dataclasses alone
        if field.name in given:
            found[field.name] = from_plain(known[field.name], given[field.name], f"{name}.{field.name}".lstrip("."))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(field.name)
    return cls(**found)


def _of(kind: Any, value: Any, name: str) -> Any:
    taken_for = (isinstance(value, bool) and kind is not bool) or (isinstance(value, str) and kind is Sequence)
    if not isinstance(value, kind) or taken_for:
        raise ValueError(f"{name or 'it'} is {reprlib.repr(value)}")
    return value
