"""Saving while training goes on: what is to be written is copied, and a thread writes the copy.

Serialising, hashing and waiting for the disk all happen without Python's lock, so a thread is enough.
"""

import copy
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from torch import Tensor

_IN_FLIGHT = 2  # snapshots of different moments; a third waits, which bounds the memory


class Snapshot:
    """The tensors of one moment, copied into host memory; those that occur several times are copied once.

    Args:
        moment: What is equal for values that belong together, such as the step.
        buffers: Free host tensors by shape and type; a kept one costs a tenth of a fresh one, whose pages are new.
    """

    def __init__(self, moment: Any, buffers: dict[Any, "list[Tensor]"]) -> None:
        self.moment, self.buffers, self.users = moment, buffers, 0
        # the sources are kept too: a freed one's address could come back as another tensor
        self.copies: dict[Any, tuple[Tensor, Tensor]] = {}

    def of(self, value: Any) -> Any:
        """A copy of nested containers; equal tensors (tied weights) stay one tensor."""
        import torch

        if isinstance(value, torch.Tensor):
            return self._tensor(value.detach())
        if isinstance(value, Mapping):
            copied: Any = copy.copy(value)  # keeps the class and what hangs on it, as on PyTorch's state_dict
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
        """Give the buffers back: nothing reads this copy any more."""
        for made, _ in self.copies.values():
            self.buffers[made.shape, made.dtype].append(made)
        self.copies.clear()


class BackgroundWriter:
    """Does jobs one by one in the order in which they were given, in a thread or at once.

    A job that fails is the last one: those behind it may rely on what it was to write. Its error is raised where
    training sees it: at the next step's `check`, at the next job, and when the block ends.

    Args:
        asynchronous: Whether in a thread.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """What was given before an error is written all the same; the error that ends the block stays the one told."""
        self._wait()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
        if error is None:
            self.check()
        elif self.failure is not None and self.failure is not error:
            error.add_note(f"saving had failed, too: {self.failure!r}")

    def save(self, moment: Any, value: Any, write: Callable[[Any], None]) -> None:
        """Call `write` with the value as it is now; tensors of one moment are copied once, however often they come.

        Args:
            moment: The step.
            value: Tensors and plain values in dicts, lists and tuples.
            write: Puts it on disk, or looks at it.
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
        """Do a job once all before it are done."""
        self.check()
        if self.asynchronous:
            self._give(job, None)
        else:
            job()

    def check(self) -> None:
        """Raise what a job has failed of."""
        if self.failure is not None:
            raise self.failure

    def drain(self) -> None:
        """Wait until everything is on disk; raises what a job has failed of."""
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
