"""Paths as they are to be found again from any working directory."""

import os
from glob import escape, has_magic
from pathlib import Path


def absolute(path: str) -> str:
    """A file, a folder or a pattern, as it is to be found from any working directory."""
    is_pattern = has_magic(path) and not Path(path).exists()
    return str(Path(escape(os.getcwd()) if is_pattern else os.getcwd(), path))


def local(name: str) -> str:
    """A folder as it is to be found from any working directory; any other name, such as one on the Hub, as it is."""
    return absolute(name) if Path(name).is_dir() else name
