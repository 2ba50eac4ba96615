"""The terminal, or what stands in its place: a run does not end because nobody can be told about it."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

log = logging.getLogger("tl_search.console")


class Console:
    """A stream that never raises for what it cannot write: its reader has gone, or the disk behind it is full.

    From the first such line on, nothing more is written to it.

    Args:
        stream: What is written to as long as it can be.
        kept: Whether the log is told, and gets the lines that cannot be written.
    """

    def __init__(self, stream: TextIO, kept: bool) -> None:
        self.stream, self.kept, self.gone = stream, kept, False
        self._line = ""  # what was written since the last line that certainly arrived
        self._keeping = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        if self.gone:
            if not self._mute():  # otherwise the log wrote it, whose files have it
                self._keep(text)
            return len(text)
        self._line += text
        try:
            self.stream.write(text)
            if "\n" in text:
                self.stream.flush()
                self._line = ""
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self._end(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if not self.gone:
            try:
                self.stream.flush()
                self._line = ""
            except (OSError, ValueError) as error:
                self._end(error)

    def _end(self, error: Exception) -> None:
        self.gone = True
        self._mute()
        silence(self.stream)
        reason = getattr(error, "strerror", None) or error
        said = f"the terminal cannot be written to ({reason}); the run goes on, and its lines stand here"
        self._keep(said, logging.WARNING)
        self._keep(self._line)

    def _keep(self, text: str, level: int = logging.INFO) -> None:
        if self._keeping or not self.kept:  # the log itself may write here
            return
        self._keeping = True
        try:
            for line in filter(str.strip, text.splitlines()):
                log.log(level, "%s", line)
        finally:
            self._keeping = False

    def _mute(self) -> bool:
        """Take this stream from the log's handlers; whether one had it."""
        ours = [handler for handler in logging.root.handlers if getattr(handler, "stream", None) is self]
        for handler in ours:
            logging.root.removeHandler(handler)
        return bool(ours)


@contextmanager
def surviving(*names: str) -> Iterator[None]:
    """Within the block, these streams of `sys` (`stdout`, `stderr`) are a `Console`. The log has the lines of stderr;
    what a command prints on stdout is on disk, too."""
    before = {name: getattr(sys, name) for name in names}
    consoles = {
        name: Console(stream, kept=name == "stderr")
        for name, stream in before.items()
        if stream is not None and not isinstance(stream, Console)  # None: a process without a terminal
    }
    for name, console in consoles.items():
        setattr(sys, name, console)
    try:
        yield
    finally:
        for name, console in consoles.items():
            console.flush()
            console.kept = False  # a handler of the log may hold it after the run
            setattr(sys, name, before[name])


def silence(stream: TextIO) -> None:
    """Let a stream that cannot be written to lead nowhere: Python writes what waits in its buffer when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
