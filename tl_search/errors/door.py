"""The door between a command and whoever reads what it says: a terminal, a pipe, a log.

Messages come from many hands: our own lines, libraries, tracebacks, Python's warnings. So secrets are masked, and
characters that steer a terminal are escaped, in one place that all of them pass.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tl_search.errors.printable import escaped, printable, printable_lines
from tl_search.errors.secrets import redact

# What libraries send to a terminal on purpose: colours, and moves of the cursor for the bars of downloads.
_DRAWING = re.compile(r"(\x1b\[(?:[0-9;]*[mABGK]|\?25[hl])|[\r\n\t])")

# Whose messages have several lines on purpose: Hydra shows whole configs (--info) and lists of jobs. Of all others, a
# message is one line, so that a name with an end of line in it cannot look like a message of its own.
_LAYING_OUT = ("hydra", "hydra_plugins")

_guarding = False


class Door:
    """A text stream that masks and escapes what is written to it; in all else it is the stream behind it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        parts = _DRAWING.split(redact(text)) if self._stream.isatty() else [redact(text)]
        # drawing stands at every odd place
        self._stream.write("".join(part if at % 2 else escaped(part, but="\r\n\t") for at, part in enumerate(parts)))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Within the block, what is printed and every record of a log passes the door. Blocks may be nested."""
    global _guarding
    if _guarding:  # whatever else has been put around the streams since
        yield
        return
    _guarding = True
    out, err, made = sys.stdout, sys.stderr, logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _masked(made(*args, **kwargs))

    ours: list[Any] = [Door(out), Door(err)]
    sys.stdout, sys.stderr = ours
    logging.setLogRecordFactory(record)
    try:
        yield
    finally:
        # whoever has put another stream in place, as for a closed pipe, keeps it
        sys.stdout = out if sys.stdout is ours[0] else sys.stdout
        sys.stderr = err if sys.stderr is ours[1] else sys.stderr
        logging.setLogRecordFactory(made)
        _guarding = False


def _masked(record: logging.LogRecord) -> logging.LogRecord:
    """The record with its message, traceback and stack as text that may be shown: a file of a log has no other door."""
    try:
        shown = printable_lines if record.name.partition(".")[0] in _LAYING_OUT else printable
        record.msg, record.args = shown(record.getMessage()), ()
    except Exception:  # its arguments do not fit: the handler says so, and masks nothing that it does not show
        return record
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = printable_lines("".join(traceback.format_exception(*record.exc_info)).rstrip())
    if record.stack_info:
        record.stack_info = printable_lines(record.stack_info)
    return record
