"""One clear line for every error, and the exit code that goes with it."""

import errno
import os
import sys
import traceback

from tl_search.errors import stopping
from tl_search.errors.exit_codes import (
    BAD_INPUT,
    BUG,
    DIVERGED,
    INTERRUPTED,
    LOCKED,
    TERMINATED,
    TRY_AGAIN,
    UNHEARD,
)
from tl_search.errors.kinds import BadInput, DivergedError, JobFailed, LockedError, Requeued, Terminated
from tl_search.errors.printable import printable, printable_lines
from tl_search.errors.ranks import chain
from tl_search.plugins import known

# Neither the user's fault nor a bug: the same command may well succeed later, from where it stopped.
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}
# For the user to mend: a folder without permission, or a file where a folder should be.
CLOSED = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}

# Variables that tell the clients of the Hub to ask no server.
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def explain(error: BaseException, kept: bool = True) -> tuple[int, str]:
    """The exit code and the message for an error that ended a command; only a bug's message is a traceback.

    There is no message where nobody is there to read one. Secrets in it are masked, and names that it quotes escaped.

    Args:
        kept: Whether the same command can go on with what is on disk, unlike that of a job that was only tried.
    """
    code, message = _told(error, kept)
    if code == BUG and (stop := stopping.asked()) is not None:  # what broke is what the signal has cut off half-way
        code, message = _told(stop, kept)
    return code, printable_lines(message) if code == BUG or isinstance(error, JobFailed) else printable(message)


def _told(error: BaseException, kept: bool) -> tuple[int, str]:
    if isinstance(error, BrokenPipeError):
        return UNHEARD, ""
    if isinstance(error, JobFailed):
        return error.code, error.message
    later = "; the same command goes on from here" if kept else ""
    if isinstance(error, Requeued) or (isinstance(error, SystemExit) and error.code == TRY_AGAIN):
        told = getattr(error, "__notes__", ())
        again = ", to be queued again; the same command goes on" if kept else ""
        return TRY_AGAIN, "; ".join(told) or f"stopped as it was asked to{again}"
    # without a code: Lightning's way to end of SIGTERM while it starts
    if isinstance(error, Terminated) or (isinstance(error, SystemExit) and error.code in (None, TERMINATED)):
        return TERMINATED, f"terminated{later}"
    if isinstance(error, SystemExit):
        return (error.code if isinstance(error.code, int) else BUG), str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted{later}"
    if isinstance(error, LockedError):
        return LOCKED, f"error: {error}"
    passing = next((e for e in chain(error) if isinstance(e, OSError) and e.errno in PASSING), None)
    if passing is not None:
        where = f"{passing.filename}: " if passing.filename else ""
        whole = "; what is on disk is whole, and the same command goes on" if kept else ""
        return TRY_AGAIN, f"error: {where}{passing.strerror}{whole}"
    offline = next((name for name in _OFFLINE if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")), None)
    if offline and any(_is_offline(e) for e in chain(error)):
        line = first_line(error)
        why = "" if offline in line else f"{offline} is set, so nothing is fetched: "
        return BAD_INPUT, f"error: {line}; {why}unset it, or fetch before"
    if any(_is_silence(e) for e in chain(error)):
        return TRY_AGAIN, f"error: {first_line(error)}; the same command may succeed later"
    if isinstance(error, ChildProcessError):
        return TRY_AGAIN, f"error: {error}{later}"
    if isinstance(error, DivergedError):
        return DIVERGED, f"error: {error}"
    if isinstance(error, BadInput):
        return BAD_INPUT, f"error: {error}"
    if isinstance(error, OSError) and error.errno in CLOSED and error.filename:
        way = ", but a file is needed there; move it away" if error.errno == errno.EISDIR else ""
        return BAD_INPUT, f"error: {error.filename}: {error.strerror}{way}"
    if isinstance(error, (ValueError, OSError)) and _raised_by_us(error):
        return BAD_INPUT, f"error: {error}"
    return BUG, "".join(traceback.format_exception(error)).rstrip()


def _is_offline(error: BaseException) -> bool:
    """Whether a client of the Hub says that it was told to ask no server; datasets says so only in its text."""
    names = {"OfflineModeIsEnabled", "LocalEntryNotFoundError"}
    return any(kind.__name__ in names for kind in type(error).__mro__) or "OfflineModeIsEnabled" in str(error)


def _is_silence(error: BaseException) -> bool:
    """Whether a server did not answer, or the Hub's client was told not to ask one."""
    hub = sys.modules.get("huggingface_hub.errors")  # whose error it is only where the client was imported
    offline = () if hub is None else (hub.LocalEntryNotFoundError,)
    return isinstance(error, (ConnectionError, TimeoutError, *offline))


def first_line(error: BaseException) -> str:
    """A library's error without the lines that speak of its own insides."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _raised_by_us(error: BaseException) -> bool:
    """Whether the `raise` itself stands in this package, or in one that a user allows: its sentence is for a person."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and known(frames[-1].f_globals.get("__name__", ""))
