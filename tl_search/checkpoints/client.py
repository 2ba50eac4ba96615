"""The Hub's own client, with an end to everything that it waits for, and one kind of error for every bad answer.

All calls of `huggingface_hub` go through one HTTP client, which may be replaced. By itself that client waits for ever
in some calls, and in others sleeps for as long as a server asks, or tries again in its own way. The client here obeys
the `Watch` of the call that it serves and leaves it to `retry.patiently` when to ask again. Calls without a watch are
those of other libraries and go on as before.
"""

import email.utils
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Any

CONNECT = 10.0  # seconds to wait for a connection
READ = 30.0  # seconds to wait for the next bytes before the request is repeated
# Statuses after which the same request may succeed later; 416 is a server's answer to a download that was resumed.
_PASSING = (408, 416, 425, 429)

_replacing = threading.Lock()


class SilenceError(TimeoutError):
    """The server has not sent anything for too long, or not everything in time; waiting has been tried."""


class BrokenError(ConnectionError):
    """There was no connection, or it ended before the whole answer had come."""


class AnswerError(Exception):
    """The answer is not what was asked for.

    Args:
        status: Of HTTP.
        code: What the Hub says is missing or closed, such as `GatedRepo`; empty in answers of other servers.
        page: Whether it is a web page in the place of data.
        passing: Whether the same request may succeed later.
        wait: The seconds that the server asks to wait; 0 if it does not say.
    """

    def __init__(self, status: int, code: str = "", page: bool = False, passing: bool = False, wait: float = 0) -> None:
        super().__init__("a web page" if page else f"HTTP {status}")
        self.status, self.code, self.page, self.passing, self.wait = status, code, page, passing, wait


class Watch:
    """The limits of one call, which may make several requests and repeat them.

    Args:
        silence: Seconds without a new byte after which the call ends. Bytes that were there before are not new, so a
            server that always breaks off at the same place is silent.
        whole: Seconds after which the call ends in any case.
    """

    def __init__(self, silence: float, whole: float) -> None:
        self.silence, self.whole = silence, whole
        self.moved = self._heard = time.monotonic()
        self._end = self.moved + whole
        self._far: dict[str, int] = {}

    def left(self) -> float:
        """Seconds until the call ends unless something comes. Raises SilenceError if there are none."""
        now = time.monotonic()
        if now >= self._end:
            raise SilenceError(f"not complete after {self.whole:g} s")
        if now >= self._heard + self.silence:
            raise SilenceError(f"nothing came for {self.silence:g} s")
        return min(self._end, self._heard + self.silence) - now

    def answered(self) -> None:
        """The server is there."""
        self._heard = time.monotonic()

    def received(self, url: str, far: int) -> None:
        """The first `far` bytes of what lies at the address have come. Raises SilenceError if that took too long."""
        if far > self._far.get(url, 0):
            self._far[url] = far
            self.moved = self._heard = time.monotonic()
        self.left()


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


def tell_nothing() -> None:
    """The client of this process sends nothing about the machine, unless the environment says 0."""
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = os.environ.get("HF_HUB_DISABLE_TELEMETRY") != "0"


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """The block's calls of `huggingface_hub` on this thread obey the watch."""
    from huggingface_hub import constants, get_session, set_client_factory

    with _replacing:
        client = _client()
        if not isinstance(before := get_session(), client):
            hooks = before.event_hooks  # among them the one that refuses to ask while HF_HUB_OFFLINE is set
            set_client_factory(lambda: client(event_hooks=hooks, follow_redirects=True, timeout=READ))
            # else it would ask for more than it is asked for
            tell_nothing()
            constants.HF_HUB_DISABLE_XET = True  # its downloads do not go through the client, and may wait for ever
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


@cache
def _client() -> type[Any]:
    from huggingface_hub import errors

    # httpx2, or httpx in older versions
    http = import_module(errors.HTTPError.__module__.partition(".")[0])

    class Body(http.SyncByteStream):  # type: ignore[name-defined]  # of a module that is found at run time
        def __init__(self, body: Any, watch: Watch, url: str, begin: int) -> None:
            self.body, self.watch, self.url, self.far = body, watch, url, begin

        def __iter__(self) -> Iterator[bytes]:
            try:
                for part in self.body:
                    self.far += len(part)
                    self.watch.received(self.url, self.far)
                    yield part
            except http.ReadError as error:  # after this other error, downloads go on from where they stopped
                raise http.RemoteProtocolError(str(error) or "the connection broke") from error

        def close(self) -> None:
            self.body.close()

    class Client(http.Client):  # type: ignore[name-defined]  # as above
        def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            watch = _watch.get()
            if watch is None:
                return super().send(request, stream=stream, **options)
            left = watch.left()
            read = min(READ, watch.silence / 4, left)  # a part of the silence, so that the request is made again
            request.extensions["timeout"] = {"connect": min(CONNECT, left), "read": read, "write": read, "pool": left}
            try:
                response = super().send(request, stream=True, **options)
                _check(response, request.url.host, watch)
                begin = int(_begin(request.headers)) if response.status_code == 206 else 0
                response.stream = Body(response.stream, watch, str(request.url), begin)
                if not stream:
                    try:
                        response.read()
                    finally:
                        response.close()
                    watch.answered()
            except http.TransportError as error:
                if stream:  # the Hub's client resumes the download
                    raise
                raise BrokenError(f"{type(error).__name__}: {error}") from error
            return response

    return Client


def _check(response: Any, host: str, watch: Watch) -> None:
    status, headers = response.status_code, response.headers
    page = 200 <= status < 300 and headers.get("Content-Type", "").startswith("text/html")
    if status < 400 and not page:
        return
    response.close()
    watch.answered()
    # a link to a file on another server holds only for a while
    passing = status in _PASSING or status >= 500 or (status in (401, 403) and response.url.host != host)
    raise AnswerError(status, headers.get("X-Error-Code", ""), page, passing, _asked(headers))


def _begin(headers: Mapping[str, str]) -> str:
    found = re.match(r"bytes=(\d+)-", headers.get("Range", ""))
    return found[1] if found else "0"


def _asked(headers: Mapping[str, str]) -> float:
    """The seconds that the answer asks to wait, in one of three forms; 0 if it does not."""
    limited = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("RateLimit", ""))
    value = limited[1] if limited else headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
