"""Finds what is wrong in the files of a data set that lies in a folder, for a message that names file and row."""

import gzip
import json
import lzma
import zlib
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

from tl_search.store.outside import once

# What reading a damaged compressed file raises; none of them is a ValueError.
DAMAGED = (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError)


def arguments(name: str) -> tuple[str, dict[str, Any]]:
    """The path and the further arguments by which `datasets` loads a data set that is named so, or a single file."""
    path = Path(name)
    return (str(path.parent), {"data_files": [escape(path.name)]}) if path.is_file() else (name, {})


def bad_file(folder: str, configuration: str | None) -> str | None:
    """The first file that cannot be read, and why; None where every file can be read alone."""
    try:
        kind, files = _files(folder, configuration)
    except (OSError, ValueError, RuntimeError):
        return None
    for file in (file for parts in files.values() for file in parts):
        if not Path(file).stat().st_size:
            return f"{file}: 0 bytes"
        if kind == "json" and (found := _bad_line(Path(file))):
            return f"{file}: {found}"
        count = 0
        try:
            for _ in _rows(kind, file):
                count += 1
        except Exception as error:  # a reader of another library: it raises what it likes
            return f"{file}: cannot be read after row {count}: {one_line(error)}"
    return None


def place(folder: str, configuration: str | None, split: str, number: int) -> str | None:
    """File and row of row `number` of a split, both counted over all files of the split; None where it is unknown."""
    try:
        kind, files = _files(folder, configuration)
        for file in files.get(split, ()):
            count = sum(1 for _ in _rows(kind, file))
            if number < count:
                return f"row {number + 1} of {file}"
            number -= count
    except Exception:  # as above; without the file's name the message still says which row it is
        return None
    return None


def one_line(error: BaseException) -> str:
    """A library's error in one line."""
    return " ".join(str(error.__cause__ or error).split())[:300] or type(error).__name__


def _files(folder: str, configuration: str | None) -> tuple[str, dict[str, list[str]]]:
    from datasets import load_dataset_builder

    place, which = arguments(folder)
    builder = load_dataset_builder(place, configuration, **which)
    return builder.name, {str(split): list(files) for split, files in (builder.config.data_files or {}).items()}


def _rows(kind: str, file: str) -> Iterator[Any]:
    from datasets import load_dataset

    return iter(load_dataset(kind, data_files=[file], split="train", streaming=True))


def _bad_line(file: Path) -> str | None:
    """What is wrong with the first line of a JSONL file that is no JSON object; None for any other kind of file."""
    packed = file.suffix == ".gz"
    if (Path(file.stem) if packed else file).suffix not in (".jsonl", ".ndjson"):
        return None
    with gzip.open(file) if packed else file.open("rb") as lines:
        for number, line in enumerate(_until_damaged(lines), 1):
            try:
                value = json.loads(line.strip() or b"{}", object_pairs_hook=once)
                json.dumps(value, ensure_ascii=False).encode()
            except ValueError as error:
                utf8 = not isinstance(error, UnicodeError)
                why = getattr(error, "msg", str(error)) if utf8 else "not UTF-8"
                return f"row {number} must be JSON, got {line[:60].decode('utf-8', 'replace').strip()!r} ({why})"
            if not isinstance(value, dict):
                return f"row {number} must be a JSON object with columns, got {json.dumps(value)[:60]}"
    return None


def _until_damaged(lines: Any) -> Iterator[bytes]:
    """The lines of a file, up to where its compression is damaged."""
    try:
        yield from lines
    except DAMAGED:
        return
