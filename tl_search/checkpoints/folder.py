"""The revisions in a plain folder, whatever program trained them."""

from dataclasses import dataclass
from pathlib import Path

from tl_search.checkpoints.source import LocalCheckpoints, from_names
from tl_search.plane.revision import Revision
from tl_search.runs.digests import CONFIG, folder_digests
from tl_search.store.manifest import DamagedError


@dataclass(frozen=True)
class FolderCheckpoints(LocalCheckpoints):
    """transformers models in subfolders named `step1000` (or `step-1000`) and `main`.

    Args:
        path: The folder that contains these subfolders.
    """

    def listed(self) -> tuple[Revision, ...]:
        """All revisions. Raises ValueError if the folder does not exist or contains no model."""
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
        folder = self.folder(revision.name)
        if folder_digests(folder) != (revision.weights, revision.tokenizer):
            raise DamagedError(f"{folder}: has changed since the search began")
        return folder

    def folder(self, name: str) -> Path:
        return Path(self.path) / name
