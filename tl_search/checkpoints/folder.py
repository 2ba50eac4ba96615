"""The revisions in a plain folder, whatever program trained them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tl_search.checkpoints.source import ModelShape, from_names, shape_of
from tl_search.plane.revision import Revision
from tl_search.runs.digests import CONFIG, folder_digests
from tl_search.store.manifest import DamagedError


@dataclass(frozen=True)
class FolderCheckpoints:
    """transformers models in subfolders named `step1000` (or `step-1000`) and `main`.

    Args:
        path: The folder that contains these subfolders.
    """

    path: str

    DECIDES: ClassVar = {"files": "path"}

    @property
    def model(self) -> str:
        return Path(self.path).resolve().name

    def revisions(self) -> tuple[Revision, ...]:
        """All revisions. Raises ValueError if the folder does not exist or contains no model."""
        return self._revisions

    @cached_property
    def _revisions(self) -> tuple[Revision, ...]:
        root = Path(self.path)
        if not root.is_dir():
            raise ValueError(f"path: must be a folder of models, got {self.path!r}, which does not exist")
        folders = sorted(folder for folder in root.iterdir() if (folder / CONFIG).is_file())
        found = from_names({folder.name: folder_digests(folder) for folder in folders})
        if not found:
            raise ValueError(f"path: must hold models in folders like step1000 or main, got {self.path!r}, without any")
        return found

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder. Raises DamagedError if its files have changed since the revisions were listed."""
        folder = Path(self.path) / revision.name
        if folder_digests(folder) != (revision.weights, revision.tokenizer):
            raise DamagedError(f"{folder}: has changed since the search began")
        return folder

    def shape(self) -> ModelShape:
        return shape_of(Path(self.path) / self._revisions[-1].name)
