"""Makes sure that only one process at a time uses a run directory. Not with flock, which some file systems ignore."""

import json
import logging
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tl_search.errors.kinds import LockedError
from tl_search.errors.stopping import check
from tl_search.store.atomic import naming, sweep_litter, write_json
from tl_search.store.fence import fenced

log = logging.getLogger(__name__)

_PLACE = ("host", "boot", "namespace")  # the same in two processes that see each other's process ids
_SILENT = 60.0  # seconds without a heartbeat, of which there is one every 15, after which a process seems to have ended


class RunLock:
    """A context manager that owns a run directory for the length of its block.

    The owner is recorded in `run.lock/owner.json`. A complete file is linked to this name, which only one process can
    do. Where process ids mean the same (the same host, boot and namespace of process ids), an owner loses the directory
    when its process has ended; any other owner when its last heartbeat is more than `grace` seconds old. Both times
    come from the file server (the modification time of a new file, and that of owner.json), so the machines' clocks
    need not agree. That a run is taken over is logged, and `taken-over.json` keeps the former owner.

    An owner that lost the directory all the same, such as one that was suspended, must not write to it: before anything
    in it gets its name, the claim is read once more (`store/fence.py`).

    Args:
        grace: Seconds without a heartbeat after which an owner elsewhere counts as dead.
        wait: Seconds to wait for another owner to finish.

    Raises:
        LockedError: another process still owns the directory after `wait` seconds.
    """

    def __init__(self, folder: Path, grace: float = 600.0, wait: float = 0.0) -> None:
        self.folder, self.grace, self.wait = folder / "run.lock", grace, wait
        self.claim, self.former = self.folder / "owner.json", self.folder / "taken-over.json"
        self.owner = {
            "host": socket.gethostname(),
            "boot": _boot(),
            "namespace": _namespace(),
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "attempt": uuid.uuid4().hex,
        }
        self._stop = threading.Event()
        self._fence = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline, evicted = time.monotonic() + self.wait, False
        while not self._try():
            check()
            current = self._read()
            if current is not None and self._is_dead(current):
                evicted |= self._evict(current)
            elif time.monotonic() < deadline:
                time.sleep(0.5)
            else:
                raise LockedError(self._in_use(current))
        self._sweep(evicted)
        self._fence.enter_context(fenced(self.folder.parent, self._require))
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._fence.close()
        if self.is_mine():
            self.claim.unlink(missing_ok=True)

    def is_mine(self) -> bool:
        """Whether this process still owns the run; if not, it counted as dead and must not write any more."""
        current = self._read()
        return current is not None and current.get("attempt") == self.owner["attempt"]

    def is_held(self) -> bool:
        """Whether some process owns the run, as far as can be told without writing; clocks are taken to agree."""
        current = self._read()
        if current is None:
            return False
        if self._sees(current):
            return _lives(current)
        with suppress(FileNotFoundError):
            return time.time() - self.claim.stat().st_mtime < self.grace
        return False

    def is_held_here(self) -> bool:
        """Whether this process owns the run already, through another RunLock."""
        current = self._read()
        return current is not None and all(current.get(key) == self.owner[key] for key in (*_PLACE, "pid", "started"))

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Write to the directory that the process that started this one owns, for as long as it owns it."""
        current = self._read()
        if current is None or current.get("pid") != os.getppid():
            raise LockedError(self._lost(current))
        self.owner = current
        with fenced(self.folder.parent, self._require):
            yield

    def _require(self) -> None:
        """Raises LockedError if this process owns the run no longer."""
        for _ in range(20):
            if self.is_mine():
                return
            if (current := self._read()) is not None:
                break
            time.sleep(0.1)  # another process may have moved the claim by mistake, and is about to put it back
        raise LockedError(self._lost(current))

    def _lost(self, owner: dict[str, Any] | None) -> str:
        who = f"process {_who(owner)} has taken over the run" if owner else f"{self.claim} was removed"
        return f"{self.folder.parent}: {who} while process {self.owner['pid']} used it, which writes nothing more"

    def _in_use(self, owner: dict[str, Any] | None) -> str:
        way = f"wait for it to end, or remove {self.folder} if that process no longer exists"
        if owner is not None and not self._sees(owner):
            way += f" (its last sign of life was {self._silence():.0f} s ago; after {self.grace:.0f} s the run is free)"
        return f"{self.folder.parent}: in use by process {_who(owner or {})}; {way}"

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

    def _read(self, path: Path | None = None) -> dict[str, Any] | None:
        """The claim; None where there is none, and an empty one where it is damaged."""
        try:
            owner = json.loads((path or self.claim).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return owner if isinstance(owner, dict) else {}

    def _sees(self, owner: dict[str, Any]) -> bool:
        """Whether the owner's process would be found under its id here."""
        return isinstance(owner.get("pid"), int) and all(owner.get(key) == self.owner[key] for key in _PLACE)

    def _is_dead(self, owner: dict[str, Any]) -> bool:
        if self._sees(owner):
            return not _lives(owner)
        bound = self.grace
        if isinstance(owner.get("pid"), int) and "boot" not in owner and owner.get("host") == self.owner["host"]:
            bound = self.grace if _lives(owner) else _SILENT  # written before claims said more than the host
        return self._silence() > bound

    def _silence(self) -> float:
        """Seconds since the owner's last heartbeat; without end when it has just let go."""
        probe = self.folder / f"clock-{uuid.uuid4().hex}"
        probe.touch()
        try:
            return probe.stat().st_mtime - self.claim.stat().st_mtime
        except FileNotFoundError:
            return float("inf")
        finally:
            probe.unlink(missing_ok=True)

    def _evict(self, owner: dict[str, Any]) -> bool:
        """Take a dead owner's claim away, and say whether it was this process that did; of several, one does."""
        dead = "no longer exists" if self._sees(owner) else f"gave no sign of life for {self._silence():.0f} s"
        moved = self.folder / f"dead-{uuid.uuid4().hex}.json"
        try:
            os.rename(self.claim, moved)
        except FileNotFoundError:
            return False
        found = self._read(moved) == owner
        if not found:
            with suppress(FileExistsError):
                os.link(moved, self.claim)  # another process has taken over already, and this is its file: put it back
        moved.unlink()
        if found:
            write_json(self.former, owner)
            log.warning("%s: taken over from process %s, which %s", self.folder.parent, _who(owner), dead)
        return found

    def _sweep(self, evicted: bool) -> None:
        """Remove what killed processes left; `tl report` may be writing to a run without owning it."""
        now = self.claim.stat().st_mtime
        for entry in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if entry not in (self.claim, self.former) and now - entry.stat().st_mtime > _SILENT:
                    entry.unlink()
        sweep_litter(self.folder.parent, idle=0.0 if evicted else _SILENT)

    def _beat(self) -> None:
        while not self._stop.wait(min(15.0, self.grace / 4)):
            with suppress(OSError):  # one heartbeat that fails must not be the last
                if self.is_mine():
                    os.utime(self.claim)


def _who(owner: dict[str, Any]) -> str:
    return f"{owner.get('pid', '?')} on {owner.get('host', '?')}"


def _lives(owner: dict[str, Any]) -> bool:
    """Whether the owner's process exists in this namespace; a process id may be used again by another process."""
    now = _process_start(owner["pid"])
    return now is not None and ("alive" in (now, owner.get("started")) or now == owner.get("started"))


def _process_start(pid: int) -> str | None:
    """When the process was started; "alive" where that is not known, and None if there is no such process."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state == "Z" else rest[18]  # a zombie has ended, and nobody has asked how
    except OSError:
        pass
    try:
        os.kill(pid, 0)
        return "alive"
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"


def _boot() -> str:
    """Differs from one start of a machine to the next, and between machines; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    """In which process ids mean the same; containers have one each. Empty where the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
