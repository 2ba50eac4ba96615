"""TensorBoard's event files: replaces those of an earlier report, and reads the curves of a run."""

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tl_search.store.atomic import ASIDE


@contextmanager
def replacing_events(folder: Path, suffix: str) -> Iterator[Path]:
    """A folder for event files, in folders of their own or not, whose names end in `suffix`.

    After the block they lie in `folder` in the place of those with this suffix that were there. Other files stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=ASIDE))
    try:
        yield aside
        stale = {*folder.rglob(f"*{suffix}")}
        for file in [path for path in aside.rglob("*") if path.is_file()]:
            place = folder / file.relative_to(aside)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, place)
            stale.discard(place)
        for file in stale:
            file.unlink(missing_ok=True)
            if file.parent != folder and not any(file.parent.iterdir()):
                file.parent.rmdir()
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_curves(folder: Path) -> dict[str, dict[int, float]]:
    """Name → step → value of the curves in a folder of event files; of a step that has several, the last counts."""
    if not any(folder.glob("events.out.tfevents.*")):
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.WARNING)  # it tells where a file ends
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {
        name: {int(point.step): float(point.value) for point in events.Scalars(name) if math.isfinite(point.value)}
        for name in events.Tags()["scalars"]
    }
