"""Scores several cells at once, in processes of their own with one thread each.

Solvers gain nothing from threads (`one_thread`), and mteb's own code is Python, which uses one core. So cells are what
can be computed side by side. A process scores as this one does: no score depends on where it was computed.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, ClassVar, NamedTuple

from tqdm import tqdm

from tl_search.errors.limits import between
from tl_search.errors.stopping import check

_OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # this process answers them for all
MOST = 8  # processes that are started unless more are asked for: each takes 0.8 GB or more


@dataclass(frozen=True)
class Scoring:
    """How cells are scored; no score depends on it.

    Args:
        processes: How many cells are scored at once, each in a process of its own where there are several, >= 1;
            None = one for each core that this process may use, at most `MOST`. OMP_NUM_THREADS counts as their number.
    """

    processes: int | None = None

    DECIDES: ClassVar = {"free": "processes"}

    def __post_init__(self) -> None:
        between(1, 1000, processes=self.processes)

    @property
    def count(self) -> int:
        """The number of processes."""
        return self.processes or min(_cores(), MOST)


def _cores() -> int:
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Scored(NamedTuple):
    """What became of one of several cells.

    Args:
        number: Its place among the cells, from 0.
        found: What scoring it gave, or the ValueError that says why it has no score.
    """

    number: int
    found: Any


class Scorers(AbstractContextManager["Scorers"]):
    """The processes, which are started when there are first two cells to score, and end with the block.

    Args:
        count: How many; 1 = all is scored in this process.
    """

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._alive: Connection | None = None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(at_once=kind is not None)

    def close(self, at_once: bool = True) -> None:
        """End the processes, `at_once` whatever they do; cells that are scored later start new ones."""
        if self._alive is not None and self._pool is not None:
            if at_once:
                self._alive.close()  # which the processes wait for
            self._pool.shutdown(cancel_futures=True)
            self._alive.close()
        self._alive = self._pool = None

    def each(self, score: Callable[..., Any], cells: Iterable[Callable[[], tuple[Any, ...]]]) -> Iterator[Scored]:
        """Score cells, and say what each gave as soon as it is there; in their order where there is one process.

        Args:
            score: A function of a module; it and its arguments can be pickled.
            cells: Make the arguments of `score`, in this process, when the cell's turn comes.

        Raises:
            ChildProcessError: a process was killed.
        """
        cells = list(cells)
        if self._count == 1 or len(cells) < 2:
            for number, arguments in enumerate(cells):
                yield Scored(number, _outcome(_here, score, arguments))
            return
        running: dict[Future[Any], int] = {}
        for number, arguments in enumerate(cells):
            begun = _outcome(self._begin, score, arguments)
            if isinstance(begun, ValueError):
                yield Scored(number, begun)
                continue
            running[begun] = number
            while len(running) > 2 * self._count:  # vectors of more are not held in memory
                yield from _finished(running)
        while running:
            yield from _finished(running)

    def _begin(self, score: Callable[..., Any], arguments: Callable[[], tuple[Any, ...]]) -> Future[Any]:
        given = arguments()
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            theirs, self._alive = context.Pipe(duplex=False)
            self._pool = ProcessPoolExecutor(self._count, context, _prepare, (theirs,))
        try:
            with _out_of_reach():  # the pool starts its processes one by one, as jobs come
                return self._pool.submit(_guarded, score, given)
        except BrokenProcessPool as error:
            raise _killed() from error


def _here(score: Callable[..., Any], arguments: Callable[[], tuple[Any, ...]]) -> Any:
    return score(*arguments())


def _outcome(job: Callable[..., Any], *given: Any) -> Any:
    """What the job gives, or the ValueError that it raises."""
    check()
    try:
        return job(*given)
    except ValueError as error:
        return error


def _finished(running: dict[Future[Any], int]) -> Iterator[Scored]:
    """Wait until some are there, and take them out."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        try:
            yield Scored(running.pop(future), _outcome(future.result))
        except BrokenProcessPool as error:
            raise _killed() from error


def _killed() -> ChildProcessError:
    way = "was there enough memory? scoring.processes=1 needs the least"
    return ChildProcessError(f"a process that scores cells was killed and reported no error; {way}")


@contextmanager
def _out_of_reach() -> Iterator[None]:
    """Within the block, processes are started that no signal reaches; this process gets it after the block.

    A terminal sends Ctrl-C to all of them, also to one that still imports and would end with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)  # which processes that are started inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare(alive: Connection) -> None:
    """What a process does first: it leaves signals to the one that started it, and ends when that one does."""
    for number in _OURS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    # else a bar of progress makes a lock for several processes, and Python warns of it where this one ends at once
    tqdm.set_lock(threading.RLock())


def _end_with(alive: Connection) -> None:
    """Wait for the end of the pipe, whose other end only the starting process holds, even if it is killed."""
    alive.poll(None)
    os._exit(1)


def _guarded(score: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from tl_search.errors.console import surviving
    from tl_search.errors.door import guarded

    with guarded(), surviving("stdout", "stderr"):
        return score(*arguments)
