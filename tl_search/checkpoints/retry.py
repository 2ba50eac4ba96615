"""Repeats requests to a server while it has a temporary problem, which must not be mistaken for a missing file."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class UnreachableError(ConnectionError):
    """The Hub did not answer in time; the same command may succeed later."""


def patiently(call: Callable[[], T], what: str, patience: float) -> T:
    """The call's result. The call is repeated after HTTP 429 and 5xx and after connection errors.

    The Hub's client itself repeats only downloads, not requests for lists and descriptions.

    Args:
        what: What is requested, for the error message.
        patience: Seconds in all after which no further attempt is made.

    Raises:
        UnreachableError: the time is over, or HF_HUB_OFFLINE is set.
    """
    from huggingface_hub import errors

    deadline, pause = time.monotonic() + patience, 0.5
    while True:
        try:
            return call()
        except errors.OfflineModeIsEnabled as error:
            raise UnreachableError(f"{what}: cannot be requested while HF_HUB_OFFLINE is set") from error
        except (errors.HTTPError, OSError) as error:
            if not _passing(error):
                raise
            # random pauses, so that many jobs that failed at the same time do not all repeat at the same time
            wait = max(_asked_for(error), pause * random.uniform(0.5, 1.5))
            if time.monotonic() + wait > deadline:
                raise UnreachableError(f"{what}: no answer within {patience:g} s ({_brief(error)})") from error
            time.sleep(wait)
            pause = min(2 * pause, 30.0)


def _passing(error: Exception) -> bool:
    """Whether waiting may help: no answer, too many requests, or an error of the server."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return status in (408, 429) or status >= 500
    # other OSErrors, such as a full disk, are problems of this machine
    return isinstance(error, errors.HTTPError | errors.LocalEntryNotFoundError | ConnectionError | TimeoutError)


def _asked_for(error: Exception) -> float:
    """The seconds that the answer's Retry-After asks to wait; 0 if it has none."""
    response = getattr(error, "response", None)
    value = response.headers.get("Retry-After", "") if response is not None else ""
    return float(value) if value.isdigit() else 0.0


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
