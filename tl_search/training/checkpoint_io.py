"""Writes and reads Lightning's training state."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch.utils._pytree import tree_leaves
from torch.utils.serialization import config as torch_files

from tl_search.store.archives import check_archive
from tl_search.store.atomic import naming, require_space, write_file
from tl_search.training.saving import BackgroundWriter

Placing = Callable[[Callable[[Path], None]], None]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary file in the target's folder, syncs it and renames it; every failure raises an error.

    Lightning's own writer uses $TMPDIR. On another file system it ends by copying the file, which a kill leaves
    incomplete, and it ignores a PermissionError (Lightning issues 21253, 21800).

    Args:
        saves: Does the writing; by default at once.
    """

    def __init__(self, saves: BackgroundWriter | None = None) -> None:
        self.saves = saves or BackgroundWriter(asynchronous=False)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Placing | None = None) -> None:
        """Write the state to `path`, or call `storage_options` with a function that writes it to a given path."""
        target = Path(path)
        require_space(target, sum(getattr(leaf, "nbytes", 0) for leaf in tree_leaves(checkpoint)))
        place = storage_options or (lambda fill: fill(target))
        self.saves.save(checkpoint.get("global_step"), checkpoint, lambda state: place(partial(write_state, state)))

    def remove_checkpoint(self, path: Any) -> None:
        # after the jobs before it, one of which may write this file
        self.saves.submit(partial(super().remove_checkpoint, path))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Loads tensors and plain values only, whatever `weights_only` says: a training state needs no code."""
        check_archive(Path(path))
        return torch.load(Path(path), map_location=map_location, weights_only=True)


def write_state(state: dict[str, Any], target: Path) -> None:
    """Write it whole or not at all. Without the checksums of zip: the manifest has its own, which are checked."""
    no_checksums = torch_files.patch("save.compute_crc32", False)  # type: ignore[attr-defined]  # which it gets at import
    with write_file(target) as aside, naming(target), aside.open("wb") as file, no_checksums:
        torch.save(state, file)
