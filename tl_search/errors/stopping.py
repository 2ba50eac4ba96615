"""Remembers that a signal has asked this process to stop, for work that looks at it between two steps.

The handler of a signal raises an exception, which ends at once what blocks, such as a download. Python drops an
exception that is raised while it runs a `__del__` or a weak reference's callback, and some libraries drop it too. So
the handler calls `ask`, which remembers the exception, and long work calls `check` between two cells or batches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_commands = 0  # how many commands run in this process, one within the other
_asked: BaseException | None = None


@contextmanager
def one_command() -> Iterator[None]:
    """What was asked for during the block is forgotten at its end."""
    global _commands, _asked
    _commands += 1
    try:
        yield
    finally:
        _commands -= 1
        _asked = None


def ask(stop: BaseException, frame: FrameType | None) -> None:
    """Raise `stop`, unless the interrupted frame belongs to a `__del__`; while a command runs, remember it first."""
    global _asked
    _asked = stop if _commands else None
    while frame is not None and _asked is not None:
        if frame.f_code.co_name == "__del__":
            return
        frame = frame.f_back
    raise stop


def asked() -> BaseException | None:
    """What a signal has asked for since the command began."""
    return _asked


def check() -> None:
    """Raise what a signal has asked for, if one has come."""
    if _asked is not None:
        raise _asked
