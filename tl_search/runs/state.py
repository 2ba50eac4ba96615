"""How far a run is: done, running, diverged, or stopped, which the same command goes on with."""

from pathlib import Path

from tl_search.runs.layout import RunPaths
from tl_search.runs.record import Done
from tl_search.store.lock import RunLock

DONE, RUNNING, STOPPED = "done", "running", "stopped"
DIVERGED = "diverged"  # a training whose loss or weights are no longer finite
DAMAGED = "damaged"  # what a reader calls a run whose files it cannot read


def state_of(run: Path) -> str:
    """`done`, `running`, `diverged` or `stopped`; changes nothing. Raises ValueError for a damaged DONE.json."""
    if Done.read(run) is not None:
        return DONE
    if RunLock(run).is_held():
        return RUNNING
    return DIVERGED if RunPaths(run).diverged.exists() else STOPPED
