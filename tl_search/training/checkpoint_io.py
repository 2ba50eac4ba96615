"""How Lightning's training state reaches the disk."""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from tl_search.store.atomic import ASIDE, naming, sync_folder


class AtomicCheckpointIO(TorchCheckpointIO):
    """Written aside in the target's folder, synced, renamed; every failure is an error.

    Lightning's own writer stages in $TMPDIR, so that on another file system its last act is a copy that a kill can
    tear, and it passes over a PermissionError in silence (Lightning issues 21253, 21800).
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=ASIDE)
        try:
            with os.fdopen(handle, "wb") as file, naming(target):
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        sync_folder(target.parent)

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Tensors and plain values only, whatever the caller says: a training state needs no code."""
        return torch.load(Path(path), map_location=map_location, weights_only=True)
