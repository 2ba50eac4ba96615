"""Repeats requests to a server while it has a temporary problem, which must not be mistaken for a missing file."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from tl_search.checkpoints.client import AnswerError, SilenceError, Watch, watching
from tl_search.errors.ranks import chain

T = TypeVar("T")


class UnreachableError(ConnectionError):
    """The Hub did not answer in time; the same command may succeed later."""


def patiently(call: Callable[[], T], what: str, patience: float, watch: Watch) -> T:
    """The call's result. The call is repeated after HTTP 429 and 5xx and after connection errors.

    Args:
        what: What is requested, for the error message.
        patience: Seconds without progress after which no further attempt is made.
        watch: How long the call may take, all attempts together.

    Raises:
        UnreachableError: the time is over, or HF_HUB_OFFLINE is set.
        AnswerError: an answer that will not change.
    """
    from huggingface_hub import errors

    started, pause = time.monotonic(), 0.5
    while True:
        try:
            with watching(watch):
                return call()
        except SilenceError as error:
            raise UnreachableError(f"{what}: {error}") from error
        except (AnswerError, errors.HTTPError, OSError) as error:
            if any(isinstance(one, errors.OfflineModeIsEnabled) for one in chain(error)):
                raise UnreachableError(f"{what}: cannot be requested while HF_HUB_OFFLINE is set") from error
            if not _passing(error):
                raise
            # random pauses, so that many jobs that failed at the same time do not all repeat at the same time
            wait = max(getattr(error, "wait", 0.0), pause * random.uniform(0.5, 1.5))
            if time.monotonic() + wait > max(started, watch.moved) + patience:
                raise UnreachableError(f"{what}: no answer within {patience:g} s ({_brief(error)})") from error
            time.sleep(wait)
            pause = min(2 * pause, 30.0)


def _passing(error: Exception) -> bool:
    """Whether waiting may help: no answer, a broken one, too many requests, or an error of the server."""
    from huggingface_hub import errors

    if isinstance(error, AnswerError):
        return error.passing
    if isinstance(error, errors.LocalEntryNotFoundError):  # an answer without what the Hub says of every file
        return False
    # other OSErrors, such as a full disk, are problems of this machine; one without a number is of a file's size
    broken = isinstance(error, ConnectionError | TimeoutError) or (isinstance(error, OSError) and error.errno is None)
    return broken or isinstance(error, errors.HTTPError)


def _brief(error: Exception) -> str:
    kind = "" if isinstance(error, AnswerError) else f"{type(error).__name__}: "
    return kind + str(error).strip().partition("\n")[0][:200]
