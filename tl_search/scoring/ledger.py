"""All scores on disk, shared by all runs: one file per cell, written once, checked when read, never replaced."""

import os
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec, cell_key
from tl_search.scoring.uncertainty.replicates import DRAWN_BY
from tl_search.store.arrays import ArrayStore
from tl_search.store.atomic import ASIDE, sync_folder, write_json
from tl_search.store.keys import digest, safe_name
from tl_search.store.outside import read_json

TOLERANCE = 1e-4  # vectors differ by about 1e-7 with the texts that share a batch, and scores by less than this


class ConflictError(RuntimeError):
    """A cell got two different scores, so something that changes vectors is not part of the cell's identity."""


class Ledger:
    """Cell → score.

    Several processes may use one folder. If two of them write the same cell, the first score is kept and the second is
    compared with it.

    Attributes:
        repeats: How often a cell was written again with a score that differed by less than the tolerance.
        quarantined: Files that were damaged or edited. They are now in `quarantine/`, and their cells count as not
            scored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.repeats = 0
        self.quarantined: list[Path] = []
        self._replicates = ArrayStore(self.folder / "replicates")

    def path(self, arm: Arm, task: TaskSpec) -> Path:
        key = cell_key(arm, task)
        return self.folder / key[:2] / f"{key}.json"

    def get(self, arm: Arm, task: TaskSpec) -> Score | None:
        """The score of a cell; None when it was never scored, or when its file is damaged or was edited."""
        path = self.path(arm, task)
        try:
            record = read_json(path)
        except FileNotFoundError:
            return None
        except ValueError:
            record = None
        if not _is_whole(record) or record["cell"]["identity"] != _identity(arm, task):
            self._quarantine(path)
            return None
        value, error = record["value"], record.get("standard_error")
        return Score(arm, task, value, record["seconds"], record["result"], error)

    def put(self, score: Score) -> Score:
        """Write a score, and return the one that is on disk afterwards: another process may have written it first.

        Raises:
            ConflictError: the cell has a different score already.
        """
        arm, task = score.arm, score.task
        names = {
            "model": arm.model,
            "revision": arm.revision.name,
            "step": arm.revision.step,
            "layer": arm.layer,
            **({} if arm.readout.is_raw else {"readout": arm.readout.name}),
            "task": task.name,
            "type": task.type,
            "main_score": task.main_score,
            **({} if task.is_whole else {"items": task.items}),
        }
        record = {
            "cell": {"identity": _identity(arm, task), "names": names},
            "value": score.value,
            **({} if score.standard_error is None else {"standard_error": score.standard_error}),
            "seconds": round(score.seconds, 3),
            "result": dict(score.result),
        }
        path = self.path(arm, task)
        while not _claim(path, {**record, "sha256": digest(record, 64)}):
            first = self.get(arm, task)
            if first is not None:
                self._compare(first, score)
                return first
        return score

    @property
    def damaged_replicates(self) -> int:
        """How many cells' replicates were damaged; their files were removed."""
        return len(set(self._replicates.damaged))

    def get_replicates(self, arm: Arm, task: TaskSpec, resamples: int, seed: int) -> np.ndarray | None:
        """The cell's bootstrap replicates (resample,); None when there are none with this number and seed."""
        arrays = self._replicates.get(_replicates_key(arm, task, resamples, seed), ["replicates"])
        drawn = None if arrays is None else arrays["replicates"]
        return drawn if drawn is not None and drawn.shape == (resamples,) and np.isfinite(drawn).all() else None

    def put_replicates(self, arm: Arm, task: TaskSpec, replicates: np.ndarray, seed: int) -> None:
        """Write a cell's replicates (resample,), which were drawn with this seed."""
        self._replicates.put(_replicates_key(arm, task, len(replicates), seed), {"replicates": replicates})

    def export(self, cells: Iterable[Score], folder: Path) -> list[Path]:
        """Write mteb's own records of some cells to `folder`/<model>/<revision>/layer_005/<split>/<Task>.json.

        The scores of another readout than raw lie in a folder `layer_005-whitened`.

        Raises:
            ValueError: a score comes without mteb's record, and the ledger has none; or it is one on a share of a
                task's items, which is no score of the task.
        """
        cells, written = list(cells), []
        if part := next((score.task for score in cells if not score.task.is_whole), None):
            raise ValueError(f"cells: must be scored on all items, got {part.name} on {part.items} of {part.split}")
        for score in cells:
            kept = score if score.result else self.get(score.arm, score.task)
            if kept is None or not kept.result:
                raise ValueError(f"cells: no record of {score.task.name} at {score.arm.label} in {self.folder}")
            path = result_path(folder, score.arm, score.task)
            write_json(path, dict(kept.result))
            written.append(path)
        return written

    def _compare(self, first: Score, second: Score) -> None:
        difference = abs(first.value - second.value)
        if difference >= TOLERANCE:
            raise ConflictError(
                f"{first.task.name} ({first.task.scored_on}) at {first.arm.label} of {first.arm.model} has the score "
                f"{first.value}, and now {second.value}: {self.path(first.arm, first.task)}"
            )
        if difference > 0:
            self.repeats += 1

    def _quarantine(self, path: Path) -> None:
        target = self.folder / "quarantine" / f"{path.stem}-{uuid.uuid4().hex[:8]}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(path, target)
        except FileNotFoundError:  # another process has just moved it
            return
        self.quarantined.append(target)


def result_path(folder: Path, arm: Arm, task: TaskSpec) -> Path:
    """The file in which a run keeps mteb's record of a cell; the task's name is kept where it is a safe file name."""
    name = task.name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", task.name) else safe_name(task.name)
    place = f"layer_{arm.layer:03d}" + f"-{arm.readout.name}" * (not arm.readout.is_raw)
    where = folder / safe_name(arm.model) / safe_name(arm.revision.name) / place
    return where / safe_name(task.split) / f"{name}.json"


def _identity(arm: Arm, task: TaskSpec) -> dict[str, Any]:
    return {"arm": arm.identity(), **task.identity()}


def _is_whole(record: Any) -> bool:
    if not isinstance(record, dict) or not {"cell", "value", "seconds", "result", "sha256"} <= set(record):
        return False
    return record["sha256"] == digest({key: value for key, value in record.items() if key != "sha256"}, 64)


def _claim(path: Path, record: dict[str, Any]) -> bool:
    """Write a file unless it exists, and say whether it was written; of several processes exactly one succeeds."""
    if path.exists():
        return False
    aside = path.with_name(f"{ASIDE}{uuid.uuid4().hex}")
    write_json(aside, record)
    try:
        os.link(aside, path)  # fails where the name exists, unlike a rename
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    sync_folder(path.parent)
    return True


def _replicates_key(arm: Arm, task: TaskSpec, resamples: int, seed: int) -> str:
    return f"{cell_key(arm, task)}-{resamples}-{seed}-{DRAWN_BY}"
