"""Makes sure that only one process at a time uses a run directory. Not with flock, which some file systems ignore."""

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Self

from tl_search.errors.kinds import LockedError
from tl_search.store.atomic import naming, write_json


class RunLock:
    """A context manager that owns a run directory for the length of its block.

    The owner is recorded in `run.lock/owner.json`. A complete file is linked to this name, which only one process can
    do. An owner on this machine loses the directory when its process has ended; an owner on another machine when its
    last heartbeat is more than `grace` seconds old. Both times come from the file server (the modification time of a
    new file, and that of owner.json), so the machines' clocks need not agree.

    Args:
        grace: Seconds without a heartbeat after which an owner on another machine counts as dead.
        wait: Seconds to wait for another owner to finish.

    Raises:
        LockedError: another process still owns the directory after `wait` seconds.
    """

    def __init__(self, folder: Path, grace: float = 600.0, wait: float = 0.0) -> None:
        self.folder, self.grace, self.wait = folder / "run.lock", grace, wait
        self.claim = self.folder / "owner.json"
        self.owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "attempt": uuid.uuid4().hex,
        }
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self.wait
        while not self._try():
            current = self._read()
            if current is not None and self._is_dead(current):
                self._evict(current)
            elif time.monotonic() < deadline:
                time.sleep(0.5)
            else:
                who = current or {"host": "?", "pid": "?"}
                raise LockedError(
                    f"{self.folder.parent}: in use by process {who['pid']} on {who['host']}; wait for it to end, "
                    f"or remove {self.folder} if that process no longer exists"
                )
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self.is_mine():
            self.claim.unlink(missing_ok=True)

    def is_mine(self) -> bool:
        """Whether this process still owns the run; if not, it counted as dead and must not write any more."""
        current = self._read()
        return current is not None and current["attempt"] == self.owner["attempt"]

    def _try(self) -> bool:
        handle, aside = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "w") as file, naming(self.claim):
            json.dump(self.owner, file)
        try:
            os.link(aside, self.claim)
            return True
        except FileExistsError:
            return False
        finally:
            os.unlink(aside)

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self.claim.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _is_dead(self, owner: dict[str, Any]) -> bool:
        if owner["host"] == self.owner["host"]:
            return _process_start(owner["pid"]) != owner["started"]
        probe = self.folder / f"clock-{uuid.uuid4().hex}"
        probe.touch()
        try:
            return probe.stat().st_mtime - self.claim.stat().st_mtime > self.grace
        except FileNotFoundError:
            return True
        finally:
            probe.unlink(missing_ok=True)

    def _evict(self, owner: dict[str, Any]) -> None:
        """Rename a dead owner's file; where several processes try, one succeeds."""
        moved = self.folder / f"dead-{uuid.uuid4().hex}.json"
        try:
            os.rename(self.claim, moved)
        except FileNotFoundError:
            return
        if json.loads(moved.read_text())["attempt"] != owner["attempt"]:
            os.link(moved, self.claim)  # another process has taken over already, and this is its file: put it back
        write_json(self.folder / "taken-over.json", owner)

    def _beat(self) -> None:
        while not self._stop.wait(min(15.0, self.grace / 4)):
            if self.is_mine():
                os.utime(self.claim)


def _process_start(pid: int) -> str | None:
    """When the process was started, since a process id may be used again; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(pid, 0)
        return "alive"
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"
