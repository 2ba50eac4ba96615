"""Makes paths absolute, so that they stay valid in another working directory; knows files of rows by their names."""

import os
from glob import escape, has_magic
from pathlib import Path

ROWS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def absolute(path: str) -> str:
    """The absolute path of a file, a folder or a pattern."""
    is_pattern = has_magic(path) and not Path(path).exists()
    return str(Path(escape(os.getcwd()) if is_pattern else os.getcwd(), path))


def local(name: str) -> str:
    """The absolute path of a folder or a file of rows; any other name, such as one on the Hub, stays unchanged."""
    return absolute(name) if Path(name).is_dir() or (holds_rows(name) and Path(name).is_file()) else name


def holds_rows(name: str) -> bool:
    """Whether a file of this name holds rows with columns, compressed or not; `.json` may also be one document."""
    path = Path(name)
    return (Path(path.stem) if path.suffix in PACKED else path).suffix in ROWS
