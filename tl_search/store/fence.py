"""Checks once more, before a file or a folder gets its name, that this process may still write there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_checks: dict[Path, Callable[[], None]] = {}


@contextmanager
def fenced(folder: Path, check: Callable[[], None]) -> Iterator[None]:
    """While the block runs, `check` guards what is published below `folder`: it raises where that may not be."""
    folder = folder.absolute()
    before = _checks.get(folder)
    _checks[folder] = check
    try:
        yield
    finally:
        if before is None:
            _checks.pop(folder, None)
        else:
            _checks[folder] = before


def may_publish(path: Path) -> None:
    """Raises what the check of a folder above `path` raises."""
    above = path.absolute().parents
    for folder, check in list(_checks.items()):
        if folder in above:
            check()
