"""Follows errors to their causes, and carries them from one process to another."""

import pickle
import signal
import traceback
from collections.abc import Iterator


class RankError(RuntimeError):
    """Another process failed; the message has its traceback, or says how it ended if it reported nothing."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then its cause or context, then the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def portable(rank: int, error: BaseException) -> BaseException:
    """The error itself if its message or type is enough to act on, else a RankError with its traceback.

    Args:
        rank: The rank of this process, in which it was raised.
        error: The error, which will be sent to another process.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = bool(frames) and str(frames[-1].f_globals.get("__name__", "")).startswith("tl_search.")
    if ours or isinstance(error, KeyboardInterrupt | SystemExit | OSError):
        try:
            again = pickle.loads(pickle.dumps(error))
        except Exception:  # not every library's errors can be pickled
            again = None
        if isinstance(again, type(error)):
            return error
    return RankError(f"rank {rank} failed:\n{''.join(traceback.format_exception(error)).rstrip()}")


def death(rank: int, code: int | None) -> BaseException:
    """The error to raise for a process that ended without a report.

    Args:
        rank: Rank of the process.
        code: Exit code of the process; minus the signal's number if a signal ended it.
    """
    if code == -signal.SIGTERM:  # a scheduler sends it to all processes at once
        return SystemExit(128 + signal.SIGTERM)
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
    return RankError(f"rank {rank} {how} and reported no error; was there enough memory?")
