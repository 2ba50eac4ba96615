"""What a command line names of runs: RUN, RUN@stepN, RUN@best, RUN/checkpoints/stepN or RUN/revisions/NAME."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tl_search.plane.revision import step_of
from tl_search.runs.layout import STATE, RunPaths


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
        run = RunPaths(folder.parent.parent)
        if folder.parent in (run.states, run.revisions) and (folder.parent == run.revisions or step_of(folder.name)):
            return cls(run.folder, folder.name)
        before, at, name = text.rpartition("@")
        return cls(Path(before), name) if at and not path.exists() else cls(path)

    def __str__(self) -> str:
        return str(self.run) if self.name is None else f"{self.run}@{self.name}"
