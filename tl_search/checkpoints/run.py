"""The revisions of a training run of this project."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tl_search.checkpoints.source import ModelShape, in_training_order, log, shape_of
from tl_search.plane.revision import Revision
from tl_search.runs.digests import folder_digests
from tl_search.runs.index import read_index
from tl_search.store.manifest import DamagedError, verify


@dataclass(frozen=True)
class RunCheckpoints:
    """The revisions in a training run's index; the run may still be training.

    Args:
        path: The run directory.
    """

    path: str

    DECIDES: ClassVar = {"files": "path"}

    @property
    def model(self) -> str:
        return Path(self.path).resolve().name

    def revisions(self) -> tuple[Revision, ...]:
        """The revisions in the index whose files exist; others are left out with a warning.

        Raises:
            ValueError: there is no such run, or it has written no revision yet.
        """
        return self._revisions

    @cached_property
    def _revisions(self) -> tuple[Revision, ...]:
        run = Path(self.path)
        if not run.is_dir():
            raise ValueError(f"path: must be a training run, got {self.path!r}, which does not exist")
        found = []
        for line in read_index(run):
            revision = line.revision
            if self._folder(revision).is_dir():
                found.append(revision)
            else:
                log.warning("%s: left out, since %s is gone", revision.name, self._folder(revision))
        if not found:
            raise ValueError(f"path: must be a training run with revisions, got {self.path!r}, which has none")
        return in_training_order(found)

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder. Raises DamagedError, which names the file, if it differs from manifest or index."""
        folder = self._folder(revision)
        verify(folder)
        if folder_digests(folder) != (revision.weights, revision.tokenizer):
            raise DamagedError(
                f"{folder}: complete, but not the same as in the index of revisions (was it written again?)"
            )
        return folder

    def shape(self) -> ModelShape:
        return shape_of(self._folder(self._revisions[-1]))

    def _folder(self, revision: Revision) -> Path:
        return Path(self.path) / "revisions" / revision.name
