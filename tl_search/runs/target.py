"""The forms in which a command line names a run or a part of it: RUN, RUN@stepN, RUN@best, RUN/checkpoints/stepN."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tl_search.plane.revision import step_of
from tl_search.runs.layout import STATE, RunPaths

AUTO, BEST = "auto", "best"


@dataclass(frozen=True)
class Target:
    """A run, and one of its states or revisions.

    Args:
        run: The run directory.
        name: Behind the `@`: `stepN`, `best`, `main`, …; None where the run alone was named.
    """

    run: Path
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Takes every form. A path that exists is a run, whatever is in its name."""
        path = Path(text)
        folder = path.parent if path.name == STATE else path
        run = folder.parent.parent
        if folder.parent == RunPaths(run).states and step_of(folder.name) is not None:
            return cls(run, folder.name)
        before, at, name = text.rpartition("@")
        return cls(Path(before), name) if at and not os.path.exists(path) else cls(path)

    def __str__(self) -> str:
        return str(self.run) if self.name is None else f"{self.run}@{self.name}"


@dataclass(frozen=True)
class Start:
    """Where a training starts, as its setting `resume` says.

    Args:
        run: A run directory; None is the run that the settings name.
        state: `stepN` or `best`; None is the newest state, or the beginning of a run that has none.
    """

    run: Path | None = None
    state: str | None = None

    @classmethod
    def parse(cls, resume: str) -> Self:
        """`auto`, `best`, or a target whose name is that of a state. Raises ValueError."""
        if resume in (AUTO, BEST):
            return cls(None, None if resume == AUTO else BEST)
        target = Target.parse(resume)
        if target.name not in (None, BEST) and step_of(str(target.name)) is None:
            raise ValueError(f"resume: must have best or stepN after the @, got {target.name!r}")
        return cls(target.run, target.name)
