"""Training on several devices: the run starts one process (rank) for each, and forwards signals to them.

Lightning's own launchers run the whole command again for every rank, or cannot return a signal or an error.
"""

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from tl_search.errors.console import surviving
from tl_search.errors.door import guarded
from tl_search.errors.exit_codes import TRY_AGAIN
from tl_search.errors.ranks import RankError, death, portable
from tl_search.training.interrupts import SIGNALS
from tl_search.training.quiet import warning_line

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_GRACE = 30.0  # seconds that the other ranks have to end by themselves after one has failed


def start_ranks(job: Callable[[int], None], ranks: int) -> int | None:
    """Run `job(rank)`, which must be picklable, in one process per rank, until all have ended.

    Signals to this process are forwarded to all ranks. The error of a rank is raised here; of several, one that is not
    merely the loss of another rank.

    Returns:
        A signal that arrived when no rank had anything left to stop, for the caller to obey; else None.
    """
    import torch
    from lightning.fabric.plugins.environments.lightning import find_free_network_port

    context = multiprocessing.get_context("spawn")
    threads, port = max(1, torch.get_num_threads() // ranks), find_free_network_port()
    pipes: dict[Connection, int] = {}
    processes: list[BaseProcess] = []
    with _passing_on(processes, ranks) as (received, deliver):
        try:
            for rank in range(ranks):
                ours, theirs = context.Pipe(duplex=False)
                process: BaseProcess = context.Process(target=_run, args=(rank, ranks, port, threads, job, theirs))
                process.start()
                theirs.close()
                processes.append(process)
                pipes[ours] = rank
                deliver()  # signals that arrived before the process existed
            found = _listen(pipes, processes, received)
        finally:
            for process in processes:
                process.kill()
                process.join()
        error = _worst(found)
    if error is None:
        return next(iter(received), None)
    if isinstance(error, KeyboardInterrupt | SystemExit) and received:
        before = signal.getsignal(received[0])
        if received[0] in (signal.SIGUSR1, signal.SIGUSR2) and callable(before):
            before(received[0], None)  # such as submitit's, which requeues the job
    raise error


def agreed(trainer: "Trainer", value: int) -> int:
    """The largest of all ranks' values, so that all do at this step what one of them has to, such as to stop."""
    import torch

    if trainer.world_size == 1:
        return value
    mine = torch.tensor(value, device=trainer.strategy.root_device)
    return int(trainer.strategy.reduce(mine, reduce_op="max"))


def _listen(
    pipes: dict[Connection, int], processes: list[BaseProcess], received: list[int]
) -> dict[int, BaseException | None]:
    """What each rank reports. After a rank has failed, those that report nothing for a while are left out."""
    found: dict[int, BaseException | None] = {}
    deadline: float | None = None
    gone = False
    while len(found) < len(processes):
        ready = wait([pipe for pipe, rank in pipes.items() if rank not in found], timeout=1.0)
        for pipe, rank in pipes.items():
            if pipe not in ready:
                continue
            try:
                found[rank] = pipe.recv()
            except EOFError:
                processes[rank].join()
                found[rank] = _death(rank, processes[rank].exitcode or 0, received)
                gone = True
        failed = [error for error in found.values() if error and not isinstance(error, KeyboardInterrupt | SystemExit)]
        if (failed or gone) and deadline is None:
            deadline = time.monotonic() + _GRACE
        if deadline is not None and time.monotonic() > deadline:
            return found
    for process in processes:
        process.join(_GRACE)
    return found


@guarded()
def _run(rank: int, ranks: int, port: int, threads: int, job: Callable[[int], None], report: Connection) -> None:
    """Runs the job as one rank, in its own process."""
    import torch

    os.setpgid(0, 0)  # else Ctrl-C would arrive twice, from the terminal and forwarded, and end at once
    # the run's lock ends with the process that started us: so must we
    torch.multiprocessing._prctl_pr_set_pdeathsig(signal.SIGKILL)  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    warnings.formatwarning = warning_line
    if rank:
        warnings.simplefilter("ignore")  # rank 0 shows the same ones
    place = {"WORLD_SIZE": ranks, "RANK": rank, "LOCAL_RANK": rank, "NODE_RANK": 0, "GROUP_RANK": 0}
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} | {k: str(v) for k, v in place.items()})
    try:
        with surviving("stdout", "stderr"):
            job(rank)
        report.send(None)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    except BaseException as error:
        report.send(portable(rank, error))


def _death(rank: int, code: int, received: list[int]) -> BaseException:
    """The error that stands for a process that ended without a report."""
    if code > 0 and received:  # during Python's start a signal is an error like any other
        code = -received[0]
    if code in (-signal.SIGUSR1, -signal.SIGUSR2):
        return SystemExit(TRY_AGAIN)
    if code == -signal.SIGINT:
        return KeyboardInterrupt()
    return death(rank, code)


def _worst(found: dict[int, BaseException | None]) -> BaseException | None:
    """The error to raise for all ranks: first one with a message, then the loss of another rank, then a stop."""
    errors = [error for error in found.values() if error is not None]
    stops, lost = KeyboardInterrupt | SystemExit, RankError
    return min(errors, key=lambda error: 2 * isinstance(error, stops) + isinstance(error, lost), default=None)


@contextmanager
def _passing_on(processes: list[BaseProcess], ranks: int) -> Iterator[tuple[list[int], Callable[[], None]]]:
    """Within the block every signal is forwarded once to each rank, also to ranks that are started later.

    Yields the signals received so far, and a function that forwards them to new ranks. The handlers that were there
    before are restored at the end.
    """
    received: list[int] = []
    waiting: list[deque[int]] = [deque() for _ in range(ranks)]

    def deliver() -> None:
        for process, numbers in zip(processes, waiting, strict=False):
            with suppress(IndexError):  # a signal may interrupt this, and its handler empty the queue
                while numbers:
                    number = numbers.popleft()
                    if process.is_alive() and process.pid is not None:
                        os.kill(process.pid, number)

    def forward(number: int, frame: Any) -> None:
        received.append(number)
        for numbers in waiting:
            numbers.append(number)
        deliver()

    if threading.current_thread() is not threading.main_thread():  # Python lets no other thread handle signals
        yield received, deliver
        return
    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        yield received, deliver
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
