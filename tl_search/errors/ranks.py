"""Errors: what they came from, and how those of another process reach this one."""

import pickle
import signal
import traceback
from collections.abc import Iterator


class RankError(RuntimeError):
    """Another process failed in a way that only its traceback explains, or without a word."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, its cause or context, the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def portable(rank: int, error: BaseException) -> BaseException:
    """The error itself where its sentence or its type says what to do, else its whole story as text.

    Args:
        rank: Of the process that it was raised in, which is this one.
        error: To be sent to another process.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = bool(frames) and str(frames[-1].f_globals.get("__name__", "")).startswith("tl_search.")
    if ours or isinstance(error, KeyboardInterrupt | SystemExit | OSError):
        try:
            again = pickle.loads(pickle.dumps(error))
        except Exception:  # an error of another library may not travel
            again = None
        if isinstance(again, type(error)):
            return error
    return RankError(f"rank {rank} failed:\n{''.join(traceback.format_exception(error)).rstrip()}")


def death(rank: int, code: int | None) -> BaseException:
    """The error to raise for a process that ended without a report.

    Args:
        rank: Of the process.
        code: Its exit code; minus the signal's number where a signal ended it.
    """
    if code == -signal.SIGTERM:  # a scheduler sends it to all processes at once
        return SystemExit(128 + signal.SIGTERM)
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
    return RankError(f"rank {rank} {how} and said nothing; was there enough memory?")
