"""Signals as wishes, which are granted once what was begun is on disk."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

_TRY_AGAIN = 75  # sysexits' EX_TEMPFAIL, at which a scheduler queues the job once more
_REQUEUE = (signal.SIGUSR1, signal.SIGUSR2)  # a scheduler's warning that the time is nearly over


class Stopped(Exception):  # noqa: N818  # it is no error: somebody asked for it
    """The run ended early because it was told to; its state is safe."""


class Interrupts:
    """Remembers a signal while there is something to finish, instead of dying of it; a second one ends the run there.

    What is on disk is whole at any moment, so the second costs at most the steps since the last state. Who remembers
    a signal to the end of the block must `end` then.

    Args:
        speaks: Whether it says so on the console; of several ranks one does.
    """

    def __init__(self, speaks: bool = True) -> None:
        self.speaks = speaks
        self.received: int | None = None
        self._first: str | None = None
        self._handed_on = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread handle signals
            self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, *_REQUEUE)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self, first: str | None = None) -> None:
        """Put the handlers up, also where somebody else has put theirs since.

        Args:
            first: What is finished before the run ends as it is told; None ends it where it stands.
        """
        self._first = first
        for number in self._before:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self.end()
        self.received = number
        if self._first is None:
            self.end()
        word = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if self.speaks:  # by os.write, since a signal may come while a buffered stream is being written
            os.write(2, f"{word}: {self._first}; once more stops at once\n".encode())

    def end(self) -> NoReturn:
        """End the process's work as the signal would have: KeyboardInterrupt, or SystemExit(143).

        A scheduler's warning goes on to whom it was meant for, such as submitit, which requeues the job; if that
        returns, or there is nobody, it is SystemExit(75).
        """
        if self.received in _REQUEUE:
            before = self._before[self.received]
            if callable(before) and not self._handed_on:
                self._handed_on = True  # first: a second signal ends us in the middle of it
                before(self.received, None)
            raise SystemExit(_TRY_AGAIN)
        if self.received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt
