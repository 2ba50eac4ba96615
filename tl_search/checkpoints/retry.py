"""Patience with a server: a passing fault is waited out, and never taken for a missing file."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class UnreachableError(ConnectionError):
    """The Hub did not answer within the time allowed; the same command may succeed later."""


def patiently(call: Callable[[], T], what: str, patience: float) -> T:
    """The call's result, asked for again after 429, 5xx and connection faults for `patience` seconds in all.

    The Hub's client gives up at once where it lists and describes, and tries again only where it downloads.

    Raises:
        UnreachableError: the time is over, or the client is told to stay offline.
    """
    from huggingface_hub import errors

    deadline, pause = time.monotonic() + patience, 0.5
    while True:
        try:
            return call()
        except errors.OfflineModeIsEnabled as error:
            raise UnreachableError(f"{what}: cannot be asked for while HF_HUB_OFFLINE is set") from error
        except (errors.HTTPError, OSError) as error:
            if not _passing(error):
                raise
            # jitter, so that many jobs that failed together do not come back together
            wait = max(_asked_for(error), pause * random.uniform(0.5, 1.5))
            if time.monotonic() + wait > deadline:
                raise UnreachableError(f"{what}: no answer within {patience:g} s ({_brief(error)})") from error
            time.sleep(wait)
            pause = min(2 * pause, 30.0)


def _passing(error: Exception) -> bool:
    """Whether waiting may help: no answer, too many requests, or the server's own fault."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return status in (408, 429) or status >= 500
    # of the OSErrors, a full disk or a forbidden folder are ours to mend
    return isinstance(error, errors.HTTPError | errors.LocalEntryNotFoundError | ConnectionError | TimeoutError)


def _asked_for(error: Exception) -> float:
    """The seconds in the answer's Retry-After; 0 without."""
    response = getattr(error, "response", None)
    value = response.headers.get("Retry-After", "") if response is not None else ""
    return float(value) if value.isdigit() else 0.0


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
