"""Pointers to states and models of a run: `checkpoints/last.json`, and for each best by a measurement
`checkpoints/NAME.json` and `revisions/NAME`."""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from tl_search.runs.layout import HEALED_BY, RunPaths
from tl_search.store.atomic import ASIDE, remove_folder, sync_folder, write_json
from tl_search.store.fence import may_publish
from tl_search.store.keys import check_name
from tl_search.store.typed_json import from_plain, read_record, reading


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

    def __post_init__(self) -> None:
        for what in ("entry", "name", "revision"):
            check_name(getattr(self, what), what)

    @classmethod
    def read(cls, run: Path, entry: str) -> Self:
        """Raises ValueError naming the file where it is damaged."""
        with reading(RunPaths(run).pointer(entry), HEALED_BY) as value:
            said = from_plain(Mapping[str, Any], value)
            pointer: Self = from_plain(cls, {"name": f"step{said['step']}", **said, "entry": entry})
            return pointer

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
        aside = paths.revisions / f"{ASIDE}{self.entry}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(self.revision, target_is_directory=True)
        os.replace(aside, paths.revision(self.entry))
        sync_folder(paths.revisions)
        write_json(paths.pointer(self.entry), self.said())
        for older in paths.revisions.glob(f"{self.entry}-step*"):
            if older.name != self.revision and re.fullmatch(r"-step\d+", older.name.removeprefix(self.entry)):
                remove_folder(older)


@dataclass(frozen=True)
class Named:
    """What every pointer says: the name of a state's folder, `step1000`; old ones to a best have only its step."""

    name: str | None = None
    step: int | None = None

    HEALED_BY: ClassVar[str] = HEALED_BY

    def __post_init__(self) -> None:
        if self.name is None and self.step is None:
            raise KeyError("name")
        if self.name is not None:
            check_name(self.name)

    @classmethod
    def by(cls, path: Path) -> str:
        """The name that a pointer's file says. Raises ValueError naming the file where it is damaged."""
        said = read_record(cls, path)
        return said.name or f"step{said.step}"


def entries(run: Path) -> list[str]:
    """The pointers that a run has, by their own names, `best` first."""
    paths = RunPaths(run)
    others = {paths.last.name, paths.rewound.name}
    found = [path.stem for path in paths.states.glob("*.json") if path.name not in others]
    return sorted(found, key=lambda entry: (entry != "best", entry))


def pointers(run: Path) -> list[Pointer]:
    """All that a run has, in the order of `entries`. Raises ValueError naming a damaged one."""
    return [Pointer.read(run, entry) for entry in entries(run)]
