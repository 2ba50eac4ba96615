"""Signals: the run finishes what it is doing and saves it before it obeys."""

import os
import signal
import threading
from types import FrameType
from typing import Any, NoReturn, Self

from tl_search.errors.exit_codes import TRY_AGAIN

_REQUEUE = (signal.SIGUSR1, signal.SIGUSR2)  # a scheduler's warning that the job's time is nearly over
SIGNALS = (signal.SIGINT, signal.SIGTERM, *_REQUEUE)  # those that end a run


class Stopped(Exception):  # noqa: N818  # not an error: somebody asked for it
    """The run ended early because it was told to; its state is safe."""


class Interrupts:
    """Remembers the first signal while there is something to finish; a second one ends the process at once.

    What is on disk is complete at any moment, so a second signal costs at most the steps since the last state. When
    the block is left with a remembered signal, its owner must call `end`.

    Args:
        speaks: Whether the console is told of a signal; of several ranks one tells it.
    """

    def __init__(self, speaks: bool = True) -> None:
        self.speaks = speaks
        self.received: int | None = None
        self._first: str | None = None
        self._handed_on = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread handle signals
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self, first: str | None = None) -> None:
        """Install the handlers, replacing those that other code has installed since.

        Args:
            first: What is finished before the process ends, for the message; None ends it at once.
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
        if self.speaks:  # os.write, since the signal may have interrupted a write to a buffered stream
            os.write(2, f"{word}: {self._first}; a second signal stops the run at once\n".encode())

    def end(self) -> NoReturn:
        """Raise what the signal stands for: KeyboardInterrupt for Ctrl-C, SystemExit(143) for SIGTERM.

        A scheduler's warning is first handed to the handler that was there before, such as submitit's, which requeues
        the job; when that returns, or there is none, SystemExit(75) is raised.
        """
        if self.received in _REQUEUE:
            before = self._before[self.received]
            if callable(before) and not self._handed_on:
                self._handed_on = True  # set before the call, which a second signal may interrupt
                before(self.received, None)
            raise SystemExit(TRY_AGAIN)
        if self.received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt
