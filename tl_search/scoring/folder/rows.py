"""Reads the rows of a person's own tasks: what is not as it must be is told with its file and its line."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from tl_search.store.outside import parse_json

ROWS = (".jsonl", ".parquet")
_LINE = 16 << 20  # bytes of a line


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# What a column holds → (what a person is told, whether a value is that). A text may be null: `skip_nulls` decides.
KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", lambda value: value is None or isinstance(value, str)),
    "name": ("a text", lambda value: isinstance(value, str)),
    "names": ("a list of texts", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value)),
    "class": ("a text or an integer", lambda value: value is None or isinstance(value, str | int)),
    "yes": ("0 or 1", lambda value: value is None or value in (0, 1)),
    "number": ("a number", lambda value: value is None or _number(value)),
    "grade": ("an integer", lambda value: isinstance(value, int)),
}


def read_rows(place: Path, name: str, columns: Mapping[str, str], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The columns of `name`.jsonl or `name`.parquet in a folder, as lists of the same length.

    Args:
        columns: Column → what it holds, one of `KINDS`; others of the file are left out.
        optional: Of these, the ones that a file may lack.

    Raises:
        ValueError: there is no such file, or two; a line is no JSON object, lacks a column or holds another kind of
            value. The message names the file and the line.
    """
    path = find(place, name)
    found: dict[str, list[Any]] = {column: [] for column in columns}
    lacking: set[str] = set()
    for number, row in _parquet(path) if path.suffix == ".parquet" else _jsonl(path):
        for column, kind in columns.items():
            if column not in row and column in optional:
                lacking.add(column)
                found[column].append(None)
                continue
            if column not in row:
                there = ", ".join(map(repr, row)) or "none"
                raise ValueError(f"{path}, line {number}: must have the column {column!r}, got {there}")
            told, holds = KINDS[kind]
            if not holds(row[column]):
                got = shorten(repr(row[column]), 60)
                raise ValueError(f"{path}, line {number}: {column}: must be {told}, got {got}")
            found[column].append(row[column])
    if not any(found.values()):
        raise ValueError(f"{path}: must hold rows, got none")
    return {column: values for column, values in found.items() if column not in lacking or any(values)}


def find(place: Path, name: str) -> Path:
    """The file of rows of that name. Raises ValueError if there is none, or one of each kind."""
    there = [place / f"{name}{suffix}" for suffix in ROWS if (place / f"{name}{suffix}").exists()]
    if len(there) != 1:
        got = " and ".join(path.name for path in there) or "neither"
        raise ValueError(f"{place}: must hold one of {', '.join(name + suffix for suffix in ROWS)}, got {got}")
    return there[0]


def _jsonl(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LINE + 1), b""), 1):
            if not line.strip():
                continue
            try:
                if len(line) > _LINE:
                    raise ValueError(f"it has more than {_LINE:,} bytes")
                row = parse_json(line, _LINE)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: must be a JSON object ({error})") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number}: must be a JSON object, got {shorten(repr(row), 60)}")
            yield number, row


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: must be a parquet file ({' '.join(str(error).split())[:120]})") from error
    yield from enumerate(rows, 1)
