"""One clear line for every mistake, and an exit code for every way to end."""

import errno
import importlib
import traceback
from collections.abc import Iterable

from tl_search.errors.nearest import did_you_mean
from tl_search.errors.ranks import chain
from tl_search.store.lock import LockedError

DONE, BUG, BAD_INPUT, INCOMPLETE, LOCKED, DIVERGED, TRY_AGAIN, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 5, 75, 130, 143

# Not the person's fault and not ours: the same command may well succeed later, from where it stopped.
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}
# The person's to mend: a folder that is closed to them, or a file where a folder should be.
CLOSED = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}

WORST_FIRST = (TERMINATED, INTERRUPTED, BUG, DIVERGED, TRY_AGAIN, LOCKED, BAD_INPUT, INCOMPLETE, DONE)


MANY = 16


class BadInput(Exception):  # noqa: N818  a mistake of the person, not a failure of the program
    """A mistake in what was asked for; its text is the whole message."""


class JobFailed(Exception):  # noqa: N818  the job failed; this only brings it home
    """A job's exit code and message, from the process that a launcher gave it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


class Terminated(KeyboardInterrupt):
    """SIGTERM, which takes the same way out as Ctrl-C: state is made safe on the way."""


class Requeued(Terminated):
    """SIGUSR1 or SIGUSR2, by which a scheduler says that the time is nearly over and the command is to come again."""


def suggest(word: object, options: Iterable[object]) -> str:
    """The end of an error message, such as `; did you mean log? (options: linear, log)`.

    A long list of options is left out where one of them is similar to the word.
    """
    names = sorted({str(option) for option in options})
    hint = did_you_mean(word, names)
    return hint + (f" (options: {', '.join(names)})" if names and not (hint and len(names) > MANY) else "")


def worst(codes: Iterable[int]) -> int:
    """The exit code of a sweep: the one of its jobs that asks most of the person."""
    return min(codes, key=WORST_FIRST.index, default=DONE)


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the message for an error that ended a command; only a bug's message is a traceback."""
    if isinstance(error, JobFailed):
        return error.code, error.message
    if isinstance(error, Requeued) or (isinstance(error, SystemExit) and error.code == TRY_AGAIN):
        told = getattr(error, "__notes__", ())
        return TRY_AGAIN, "; ".join(told) or "stopped as it was asked to, to be queued again; the same command goes on"
    # without a code: Lightning's way to end of SIGTERM while it starts
    if isinstance(error, Terminated) or (isinstance(error, SystemExit) and error.code in (None, TERMINATED)):
        return TERMINATED, "terminated; the same command goes on from here"
    if isinstance(error, SystemExit):
        return (error.code if isinstance(error.code, int) else BUG), str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted; the same command goes on from here"
    if isinstance(error, LockedError):
        return LOCKED, f"error: {error}"
    passing = next((e for e in chain(error) if isinstance(e, OSError) and e.errno in PASSING), None)
    if passing is not None:
        where = f"{passing.filename}: " if passing.filename else ""
        return (
            TRY_AGAIN,
            f"error: {where}{passing.strerror}; what is on disk is whole, and the same command goes on",
        )
    if any(_is_silence(e) for e in chain(error)):
        return TRY_AGAIN, f"error: {first_line(error)}; the same command may succeed later"
    if type(error).__name__ == "DivergedError" and _is_ours(type(error).__module__):
        return DIVERGED, f"error: {error}"
    if isinstance(error, BadInput):
        return BAD_INPUT, f"error: {error}"
    if isinstance(error, OSError) and error.errno in CLOSED and error.filename:
        return BAD_INPUT, f"error: {error.filename}: {error.strerror}"
    if isinstance(error, (ValueError, OSError)) and _raised_by_us(error):
        return BAD_INPUT, f"error: {error}"
    return BUG, "".join(traceback.format_exception(error)).rstrip()


def _is_silence(error: BaseException) -> bool:
    """Whether a server did not answer, or the Hub's client was told not to ask one."""
    if isinstance(error, BrokenPipeError):  # whoever read our output has gone
        return False
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__name__ == "LocalEntryNotFoundError"


def first_line(error: BaseException) -> str:
    """A library's error without the lines that speak of its own insides."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == __name__.partition(".")[0]


def _raised_by_us(error: BaseException) -> bool:
    """Whether the `raise` itself stands in this package: its sentence was written for a person."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and _is_ours(frames[-1].f_globals.get("__name__", ""))


def import_class(target: str, path: str) -> type:
    """The class that `_target_` names. Raises BadInput naming the node when there is none."""
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise BadInput(f"{path}._target_: there is no module {module_name}") from error
        raise
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise BadInput(f"{path}._target_: there is no class {name} in {module_name}{suggest(name, classes)}")
    return found
