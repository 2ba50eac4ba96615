"""The revisions of a training run of this project."""

from dataclasses import dataclass
from pathlib import Path

from tl_search.checkpoints.source import LocalCheckpoints, has_place, in_training_order, left_out, without_suspects
from tl_search.plane.revision import Revision
from tl_search.runs.digests import folder_digests, is_model, weight_files
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.store.manifest import DamagedError, verify

_AS_FOLDER = "checkpoints=folder"


@dataclass(frozen=True)
class RunCheckpoints(LocalCheckpoints):
    """The revisions in a training run's index; the run may still be training.

    Args:
        path: The run directory.
        suspects: As for every local source.
    """

    def check(self) -> None:
        run = Path(self.path)
        if not run.is_dir():
            raise ValueError(f"path: must be a training run, got {self.path!r}, which does not exist")
        if not RunPaths(run).is_training and (what := _what(run)):
            raise ValueError(f"path: must be a training run with revisions, got {self.path!r}, {what}")

    def listed(self) -> tuple[Revision, ...]:
        """The revisions in the index whose files exist and belong together; others are left out with a warning.

        Raises:
            ValueError: there are none.
        """
        found, parts = [], {}
        for line in read_index(Path(self.path)):
            revision = line.revision
            if self.folder(revision.name).is_dir():
                found.append(revision)
                parts[revision.name] = [line.files[name] for name in weight_files(line.files)]
            else:
                left_out([revision.name], f"{self.folder(revision.name)} is gone")
        if not found:
            raise ValueError(
                f"checkpoints.path: must be a training run with revisions, got {self.path!r}, which has none"
            )
        kept, _ = without_suspects(in_training_order(found), parts, self.suspects)
        return kept

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


def _what(folder: Path) -> str:
    """What a folder without revisions is instead, and how that is searched; empty where it may become a run."""
    place, paths = folder.resolve(), RunPaths(folder)
    if RunPaths(place.parent).index.is_file() or RunPaths(place.parent.parent).index.is_file():
        run = folder.parent if RunPaths(place.parent).index.is_file() else folder.parent.parent
        return f"which is a part of the run {run}"
    if is_model(folder):
        return f"which is a single model; {_AS_FOLDER} checkpoints.path={folder.parent} searches those beside it"
    inside = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if any(has_place(entry.name) and is_model(entry) for entry in inside):
        return f"which is a folder of models; {_AS_FOLDER} searches it"
    if runs := [entry for entry in inside if RunPaths(entry).index.is_file()]:
        return f"which is a folder of runs; did you mean {runs[-1]}?"
    return "which is itself a search" if paths.is_search else ""
