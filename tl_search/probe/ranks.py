"""Several devices: this process is rank 0, and every further rank has a process that outlives a column.

So a process starts, imports and builds its model once per session, and afterwards only swaps weights. The ranks need
not talk to each other: each computes its share of the batches and writes its texts' vectors into the column's file.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Self

from tl_search.errors.console import surviving
from tl_search.errors.door import guarded
from tl_search.errors.ranks import death, portable

if TYPE_CHECKING:
    from tl_search.probe.model_cache import ModelCache

# (rank, the model cache of its process) → how many texts it wrote. Can be pickled.
RankJob = Callable[[int, "ModelCache"], int]


class Ranks:
    """The processes of the ranks 1, 2, …, each of which takes one job after another until it is ended.

    Args:
        count: How many ranks there are, rank 0 (this process) included.
    """

    def __init__(self, count: int) -> None:
        import torch

        context = multiprocessing.get_context("spawn")
        self.written = 0  # texts, by the ranks that have finished the job
        self._working: dict[Connection, int] = {}
        self._pipes: dict[Connection, Any] = {}
        for rank in range(1, count):
            ours, theirs = context.Pipe()
            # as many threads as here: how a sum is split among threads changes its last bits
            arguments = (rank, torch.get_num_threads(), theirs)
            process = context.Process(target=_serve, args=arguments, name=f"probe rank {rank}", daemon=True)
            process.start()
            theirs.close()
            self._pipes[ours] = process

    @property
    def alive(self) -> bool:
        return all(process.is_alive() for process in self._pipes.values())

    @contextmanager
    def working(self, job: RankJob) -> Iterator[Self]:
        """The other ranks do the job while the block does this rank's part of it; at its end they are waited for.

        Raises:
            BaseException: what the first rank that failed has raised. Then all processes are ended, as they are when
                the block fails.
        """
        try:
            self.written = 0
            for rank, pipe in enumerate(self._pipes, 1):
                self._working[pipe] = rank
                pipe.send(job)
            yield self
            self.check(wait_for_all=True)
        except BaseException:
            self.end()  # the others would go on for long, in a file that is gone
            raise

    def check(self, wait_for_all: bool = False) -> None:
        """Take the answers that have come; raises the error of a rank that failed."""
        while self._working:
            ready = wait(list(self._working), None if wait_for_all else 0)
            if not ready:
                return
            for pipe in ready:
                assert isinstance(pipe, Connection)
                rank = self._working.pop(pipe)
                try:
                    answer = pipe.recv()
                except (EOFError, ConnectionError):
                    self._pipes[pipe].join()
                    answer = death(rank, self._pipes[pipe].exitcode)
                if isinstance(answer, BaseException):
                    raise answer
                self.written += answer

    def end(self) -> None:
        """Kill the processes; may be called again."""
        for pipe, process in self._pipes.items():
            process.kill()
            process.join()
            pipe.close()
        self._working.clear()


@guarded()
def _serve(rank: int, threads: int, pipe: Connection) -> None:
    """What the process of a rank does: one job after another, with a model that it keeps between them."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):  # the process that started this one handles them
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # rank 0 shows the same warnings
    import torch

    from tl_search.probe import work  # noqa: F401  (what a job needs, imported while rank 0 loads its model)
    from tl_search.probe.model_cache import ModelCache

    torch.set_num_threads(threads)
    models = ModelCache()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            with surviving("stdout", "stderr"):
                answer: Any = job(rank, models)
        except BaseException as error:
            answer = portable(rank, error)
        pipe.send(answer)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
