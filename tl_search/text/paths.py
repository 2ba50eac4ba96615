"""Makes paths absolute, so that they stay valid in another working directory."""

import os
from glob import escape, has_magic
from pathlib import Path


def absolute(path: str) -> str:
    """The absolute path of a file, a folder or a pattern."""
    is_pattern = has_magic(path) and not Path(path).exists()
    return str(Path(escape(os.getcwd()) if is_pattern else os.getcwd(), path))


def local(name: str) -> str:
    """The absolute path of a folder; any other name, such as one on the Hub, is returned unchanged."""
    return absolute(name) if Path(name).is_dir() else name
