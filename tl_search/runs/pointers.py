"""Pointers to the best state and model of a run by a measurement: `checkpoints/NAME.json` and `revisions/NAME`."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tl_search.runs.layout import RunPaths
from tl_search.store.atomic import ASIDE, read_json, remove_folder, sync_folder, write_json
from tl_search.store.fence import may_publish


@dataclass(frozen=True)
class Pointer:
    """The best evaluation of a run so far.

    Args:
        entry: The pointer's own name, which `Best` has under `callbacks`: `best`.
        step: Completed optimizer steps.
        monitor: The measurement that decided.
        value: Value of the measurement.
        name: Name of the full state's folder.
        revision: Name of the model's folder.
        weights: Whether the model holds the trained weights (`raw`) or their average (`ema`).
    """

    entry: str
    step: int
    monitor: str
    value: float
    name: str
    revision: str
    weights: str = "raw"

    @classmethod
    def read(cls, run: Path, entry: str) -> Self:
        """Raises ValueError naming the file where it is damaged."""
        path = RunPaths(run).pointer(entry)
        said = read_json(path)
        try:
            texts = {key: str(said[key]) for key in ("monitor", "revision")}
            name = str(said.get("name", f"step{said['step']}"))
            weights = str(said.get("weights", "raw"))
            return cls(entry, int(said["step"]), value=float(said["value"]), name=name, weights=weights, **texts)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: damaged ({type(error).__name__}: {error})") from error

    def __str__(self) -> str:
        where = f" (revisions/{self.revision})" if self.revision != f"step{self.step}" else ""
        return f"{self.entry} by {self.monitor}: {self.value:.4f} at step {self.step:,}{where}"

    def said(self) -> dict[str, Any]:
        """Its entries on disk."""
        return {key: value for key, value in asdict(self).items() if key != "entry"}

    def lead(self, run: Path) -> None:
        """Let file and link lead to the best, if it is there; models of earlier bests are removed.

        State and model got their names when they were whole, so that they are there is enough.
        """
        paths = RunPaths(run)
        if not (paths.states / self.name).is_dir() or not paths.revision(self.revision).is_dir():
            return
        may_publish(paths.revision(self.entry))
        aside = paths.revision(f"{ASIDE}{self.entry}")
        aside.unlink(missing_ok=True)
        aside.symlink_to(self.revision, target_is_directory=True)
        os.replace(aside, paths.revision(self.entry))
        sync_folder(paths.revisions)
        write_json(paths.pointer(self.entry), self.said())
        for older in paths.revisions.glob(f"{self.entry}-step*"):
            if older.name != self.revision and re.fullmatch(r"-step\d+", older.name.removeprefix(self.entry)):
                remove_folder(older)


def pointers(run: Path) -> list[Pointer]:
    """All that a run has, `best` first. Raises ValueError naming a damaged one."""
    paths = RunPaths(run)
    others = {paths.last.name, paths.rewound.name}
    found = [path.stem for path in paths.states.glob("*.json") if path.name not in others]
    return [Pointer.read(run, entry) for entry in sorted(found, key=lambda entry: (entry != "best", entry))]
