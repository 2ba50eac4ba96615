"""Saving while training goes on: tensors are copied to host memory, and a thread writes the copies.

Serialising, hashing and waiting for the disk do not hold Python's global lock, so a thread is enough.
"""

import copy
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_IN_FLIGHT = 2  # most snapshots of different moments at a time, which bounds the memory; training waits for a third


class Snapshot:
    """Copies of the tensors of one moment in host memory; a tensor that occurs several times is copied once.

    Args:
        moment: The same for all values that belong together, such as the step.
        buffers: Unused host tensors by shape and dtype, used again: copying into new memory takes ten times as long,
            since the system has to provide its pages first.
    """

    def __init__(self, moment: Any, buffers: dict[Any, "list[Tensor]"]) -> None:
        self.moment, self.buffers, self.users = moment, buffers, 0
        # sources are kept as well: the address of a freed one might be given to another tensor
        self.copies: dict[Any, tuple[Tensor, Tensor]] = {}

    def of(self, value: Any) -> Any:
        """A copy of nested containers; a tensor that occurs twice (tied weights) stays one tensor."""
        import torch

        if isinstance(value, torch.Tensor):
            return self._tensor(value.detach())
        if isinstance(value, Mapping):
            copied: Any = copy.copy(value)  # keeps the class and its attributes, which PyTorch's state_dict has
            for key, item in value.items():
                copied[key] = self.of(item)
            return copied
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, tuple):
            items = [self.of(item) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return copy.deepcopy(value)

    def _tensor(self, source: "Tensor") -> "Tensor":
        import torch

        key = (source.device, source.data_ptr(), source.shape, source.stride(), source.dtype, source._version)
        if key not in self.copies:
            free = self.buffers[source.shape, source.dtype]
            made = free.pop() if free else torch.empty(source.shape, dtype=source.dtype, pin_memory=source.is_cuda)
            self.copies[key] = (made.copy_(source), source)
        return self.copies[key][0]

    def release(self) -> None:
        """Make the buffers free for other snapshots, once nothing reads these copies any more."""
        for made, _ in self.copies.values():
            self.buffers[made.shape, made.dtype].append(made)
        self.copies.clear()


class BackgroundWriter(AbstractContextManager["BackgroundWriter"]):
    """Does jobs one by one in the order in which they are given, in a thread or at once.

    After a job that fails no other is done, since it might rely on what the failed one was to write. The error is
    raised in the training thread: at the next `check`, at the next job, and when the block ends.
    """

    def __init__(self, asynchronous: bool = True) -> None:
        self.asynchronous = asynchronous
        self.failure: BaseException | None = None
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Snapshot | None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._pending = 0
        self._snapshots: list[Snapshot] = []
        self._buffers: dict[Any, list[Tensor]] = defaultdict(list)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Jobs given before an error are still done; the error that ends the block is the one that is raised."""
        self._wait()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
        if error is None:
            self.check()
        elif self.failure is not None and self.failure is not error:
            error.add_note(f"saving has failed, too: {self.failure!r}")

    def save(self, moment: Any, value: Any, write: Callable[[Any], None]) -> None:
        """Call `write` with the value as it is now; a tensor that is given several times in one moment is copied once.

        Args:
            moment: Such as the step.
            value: Tensors and plain values in dicts, lists and tuples.
        """
        self.check()
        if not self.asynchronous:
            write(value)
            return
        snapshot = self._snapshot(moment)
        try:
            copied = snapshot.of(value)
        except BaseException:
            self._leave(snapshot)
            raise
        self._give(lambda: write(copied), snapshot)

    def submit(self, job: Callable[[], Any]) -> None:
        """Do a job after all jobs given before it."""
        self.check()
        if self.asynchronous:
            self._give(job, None)
        else:
            job()

    def check(self) -> None:
        """Raise the error of a job that has failed."""
        if self.failure is not None:
            raise self.failure

    def drain(self) -> None:
        """Wait until all jobs are done; raises the error of one that has failed."""
        self._wait()
        self.check()

    def _snapshot(self, moment: Any) -> Snapshot:
        with self._changed:
            if not self._snapshots or self._snapshots[-1].moment != moment:
                self._changed.wait_for(lambda: len(self._snapshots) < _IN_FLIGHT or self.failure is not None)
                self.check()
                self._snapshots.append(Snapshot(moment, self._buffers))
            snapshot = self._snapshots[-1]
            snapshot.users += 1  # under the same lock: the thread may be about to release it
            return snapshot

    def _leave(self, snapshot: Snapshot) -> None:
        with self._changed:
            snapshot.users -= 1
            if not snapshot.users:
                self._snapshots.remove(snapshot)
                snapshot.release()
            self._changed.notify_all()

    def _give(self, job: Callable[[], Any], snapshot: Snapshot | None) -> None:
        if self._thread is None:
            # a daemon: a process that is told to stop at once does not wait for the disk
            self._thread = threading.Thread(target=self._work, name="saving", daemon=True)
            self._thread.start()
        with self._changed:
            self._pending += 1
        self._jobs.put((job, snapshot))

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._pending)

    def _work(self) -> None:
        import torch

        # a second team of OpenMP threads, even an idle one, makes the first wait otherwise at every barrier: on two
        # cores that cost a small model's training a seventh of its speed
        torch.set_num_threads(1)
        while (given := self._jobs.get()) is not None:
            job, snapshot = given
            try:
                if self.failure is None:
                    job()
            except BaseException as error:
                self.failure = error
            del job, given  # and with them what the job holds
            if snapshot is not None:
                self._leave(snapshot)
                del snapshot
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()
