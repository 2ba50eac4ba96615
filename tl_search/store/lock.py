"""One owner per run directory. Correctness never rests on flock, which some shared file systems ignore."""

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Self

from tl_search.store.atomic import naming, write_json


class LockedError(RuntimeError):
    """Somebody else owns the run; the message names them."""


class RunLock:
    """Owns a run directory from `with` to its end; others are refused at once.

    The claim is `run.lock/owner.json`, put there by linking a finished file to its name, which exactly one process
    can do. A dead owner on this machine is taken over; on another machine only when its heartbeat is older than
    `grace` seconds, judged by the file server's clock (a fresh file's mtime against the heartbeat's).

    Args:
        folder: The run directory.
        grace: Seconds without a heartbeat after which an owner on another machine counts as dead.
        wait: Seconds to wait for a living owner before giving up.
    """

    def __init__(self, folder: Path, grace: float = 600.0, wait: float = 0.0) -> None:
        self.folder, self.grace, self.wait = folder / "run.lock", grace, wait
        self.owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "attempt": uuid.uuid4().hex,
        }
        self._stop = threading.Event()

    @property
    def claim(self) -> Path:
        return self.folder / "owner.json"

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
                    f"or remove {self.folder} if it is gone"
                )
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self.is_mine():
            self.claim.unlink(missing_ok=True)

    def is_mine(self) -> bool:
        """Whether this process still owns the run; one that was taken for dead must not publish any more."""
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
        """Move the dead claim away; of several that try, one moves it and the rest find it gone."""
        moved = self.folder / f"dead-{uuid.uuid4().hex}.json"
        try:
            os.rename(self.claim, moved)
        except FileNotFoundError:
            return
        if json.loads(moved.read_text())["attempt"] != owner["attempt"]:
            os.link(moved, self.claim)  # another process was quicker, and this is its living claim: give it back
        write_json(self.folder / "taken-over.json", owner)

    def _beat(self) -> None:
        while not self._stop.wait(min(15.0, self.grace / 4)):
            if self.is_mine():
                os.utime(self.claim)


def _process_start(pid: int) -> str | None:
    """When the process was started, which tells a reused process id from the owner's; None when there is none."""
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
