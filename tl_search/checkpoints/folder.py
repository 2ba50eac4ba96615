"""The revisions in a plain folder, whatever program trained them."""

from dataclasses import dataclass
from pathlib import Path

from tl_search.checkpoints.content import folder_contents
from tl_search.checkpoints.source import NAMED, LocalCheckpoints, from_names, has_place, left_out
from tl_search.plane.revision import Revision
from tl_search.runs.digests import CONFIG, folder_digests, has_settings, is_model
from tl_search.runs.layout import RunPaths
from tl_search.store.manifest import DamagedError, is_listed, verify


@dataclass(frozen=True)
class FolderCheckpoints(LocalCheckpoints):
    """transformers models in subfolders named by their step (`step1000`, `checkpoint-500`, …) and `main`.

    Args:
        path: The folder that contains these subfolders.
        suspects: As for every local source.
    """

    def check(self) -> None:
        root = Path(self.path)
        if not root.is_dir():
            raise ValueError(f"path: must be a folder of models, got {self.path!r}, which does not exist")
        if RunPaths(root).is_training:
            raise ValueError(
                f"path: must be a folder of models, got {self.path!r}, a training run; checkpoints=run searches it"
            )

    def listed(self) -> tuple[Revision, ...]:
        """All revisions; what has other names is left out with a warning. Raises ValueError if there are none."""
        root = Path(self.path)
        folders = {folder.name: folder for folder in root.iterdir() if folder.is_dir()}
        models = {name for name, folder in folders.items() if is_model(folder)}
        placed = {name for name in folders if has_place(name)}
        left_out(models - placed, f"the step is read from the name, which must be {NAMED}")
        left_out(placed - models, f"the folder holds no model ({CONFIG} and model.safetensors)")
        read = {name: folders[name] for name in sorted(models & placed) if has_settings(folders[name])}
        left_out(models & placed - read.keys(), f"its {CONFIG} or that of its tokenizer cannot be read")
        found, _ = from_names(folder_contents(read), self.suspects)
        if not found:
            raise ValueError(
                f"checkpoints.path: must hold models in folders named {NAMED}, got {self.path!r}, without any"
            )
        return found

    def fetch(self, revision: Revision) -> Path:
        """The revision's folder.

        Raises:
            DamagedError: its files have changed since the revisions were listed, or are not what a manifest of this
                project says that lies beside them, as in a folder that was copied out of a run.
        """
        folder = self.folder(revision.name)
        if is_listed(folder):
            verify(folder)
        if folder_digests(folder) != (revision.weights, revision.tokenizer):
            raise DamagedError(f"{folder}: has changed since the search began")
        return folder

    def folder(self, name: str) -> Path:
        return Path(self.path) / name
