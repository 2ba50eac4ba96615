"""Several devices: this process is rank 0, and every other one has a process that lives on for the next column.

So a process starts, imports and builds its model once, and only swaps weights afterwards. They need not talk to each
other: each takes its batches, and writes its texts' vectors where they belong.
"""

import atexit
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from tl_search.errors.ranks import portable, silence

Job = Callable[[int], int]  # rank → how many texts it wrote


class Ranks:
    """The processes of the ranks 1, 2, …

    Args:
        count: Of all ranks, this process's own counted.
    """

    def __init__(self, count: int) -> None:
        import torch

        context = multiprocessing.get_context("spawn")
        self.written = 0  # texts, by the ranks that are done with the job
        self._working: dict[Connection, int] = {}
        self._pipes: dict[Connection, Any] = {}
        for rank in range(1, count):
            ours, theirs = context.Pipe()
            # as many threads as here: how a sum is split among threads shows in its last bits
            arguments = (rank, torch.get_num_threads(), theirs)
            process = context.Process(target=_serve, args=arguments, name=f"probe rank {rank}", daemon=True)
            process.start()
            theirs.close()
            self._pipes[ours] = process

    def __len__(self) -> int:
        return 1 + len(self._pipes)

    @property
    def alive(self) -> bool:
        return all(process.is_alive() for process in self._pipes.values())

    def start(self, job: Job) -> None:
        self.written = 0
        for rank, pipe in enumerate(self._pipes, 1):
            self._working[pipe] = rank
            pipe.send(job)

    def heed(self, patient: bool = False) -> None:
        """Raise the error of a rank that failed; `patient` waits until all are done."""
        while self._working:
            ready = wait(list(self._working), None if patient else 0)
            if not ready:
                return
            for pipe in ready:
                assert isinstance(pipe, Connection)
                rank = self._working.pop(pipe)
                try:
                    answer = pipe.recv()
                except (EOFError, ConnectionError):
                    self._pipes[pipe].join()
                    answer = _death(rank, self._pipes[pipe].exitcode)
                if isinstance(answer, BaseException):
                    raise answer
                self.written += answer

    def kill(self) -> None:
        for pipe, process in self._pipes.items():
            process.kill()
            process.join()
            pipe.close()


_kept: Ranks | None = None


@contextmanager
def working(job: Job, count: int) -> Iterator[Ranks]:
    """The other ranks do the job while the block does its own part of it; then they are waited for.

    Raises:
        BaseException: what the first of them that failed has raised; all are ended, as when the block fails.
    """
    ranks = kept_ranks(count)
    try:
        ranks.start(job)
        yield ranks
        ranks.heed(patient=True)
    except BaseException:
        forget()  # what they are at would go on for long, in a file that is gone
        raise


def kept_ranks(count: int) -> Ranks:
    """Those of the last column where they live and are as many, else new ones, which begin to import at once."""
    global _kept
    if _kept is None or len(_kept) != count or not _kept.alive:
        forget()
        _kept = Ranks(count)
        atexit.register(forget)
    return _kept


def forget() -> None:
    """End the processes."""
    global _kept
    if _kept is not None:
        _kept.kill()
    _kept = None
    atexit.unregister(forget)


def _serve(rank: int, threads: int, pipe: Connection) -> None:
    """A rank's life: one job after another."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):  # theirs to heed who started us
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # rank 0 says it too
    import torch

    from tl_search.probe import work  # noqa: F401  (what a job needs, imported while rank 0 loads its model)

    torch.set_num_threads(threads)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            answer: Any = job(rank)
        except BaseException as error:
            answer = portable(rank, error)
        pipe.send(answer)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _death(rank: int, code: int | None) -> BaseException:
    """What the end of a process that reported nothing amounts to."""
    if code == -signal.SIGTERM:  # a scheduler tells all processes at once
        return SystemExit(128 + signal.SIGTERM)
    return silence(rank, code)
