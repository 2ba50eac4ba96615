"""The revisions of a training run of this project."""

from dataclasses import dataclass
from pathlib import Path

from tl_search.checkpoints.source import LocalCheckpoints, in_training_order, left_out
from tl_search.plane.revision import Revision
from tl_search.runs.digests import folder_digests
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.store.manifest import DamagedError, verify


@dataclass(frozen=True)
class RunCheckpoints(LocalCheckpoints):
    """The revisions in a training run's index; the run may still be training.

    Args:
        path: The run directory.
    """

    def listed(self) -> tuple[Revision, ...]:
        """The revisions in the index whose files exist; others are left out with a warning.

        Raises:
            ValueError: there is no such run, or it has written no revision yet.
        """
        run = Path(self.path)
        if not run.is_dir():
            raise ValueError(f"path: must be a training run, got {self.path!r}, which does not exist")
        found = []
        for line in read_index(run):
            revision = line.revision
            if self.folder(revision.name).is_dir():
                found.append(revision)
            else:
                left_out([revision.name], f"{self.folder(revision.name)} is gone")
        if not found:
            raise ValueError(f"path: must be a training run with revisions, got {self.path!r}, which has none")
        return in_training_order(found)

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder. Raises DamagedError, which names the file, if it differs from manifest or index."""
        folder = self.folder(revision.name)
        verify(folder)
        if folder_digests(folder) != (revision.weights, revision.tokenizer):
            raise DamagedError(
                f"{folder}: complete, but not the same as in the index of revisions (was it written again?)"
            )
        return folder

    def folder(self, name: str) -> Path:
        return RunPaths(Path(self.path)).revision(name)
