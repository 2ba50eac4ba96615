"""How Lightning's training state reaches the disk."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch.utils.serialization import config as torch_files

from tl_search.store.atomic import naming, require_space, write_file
from tl_search.training.saving import BackgroundWriter

Placing = Callable[[Callable[[Path], None]], None]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Written aside in the target's folder, synced, renamed; every failure is an error.

    Lightning's own writer stages in $TMPDIR, so that on another file system its last act is a copy that a kill can
    tear, and it passes over a PermissionError in silence (Lightning issues 21253, 21800).

    Args:
        saves: Does the writing.
    """

    def __init__(self, saves: BackgroundWriter | None = None) -> None:
        self.saves = saves or BackgroundWriter(asynchronous=False)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Placing | None = None) -> None:
        """Write the state to `path`; or let `storage_options` choose the place: it is given what fills a path."""
        target = Path(path)
        require_space(target, sum(tensor.nbytes for tensor in _tensors(checkpoint)))
        place = storage_options or (lambda fill: fill(target))
        self.saves.save(checkpoint.get("global_step"), checkpoint, lambda state: place(partial(write_state, state)))

    def remove_checkpoint(self, path: Any) -> None:
        self.saves.submit(partial(_remove, Path(path)))  # it may be on its way to the disk

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Tensors and plain values only, whatever the caller says: a training state needs no code."""
        return torch.load(Path(path), map_location=map_location, weights_only=True)


def write_state(state: dict[str, Any], target: Path) -> None:
    """Write it whole or not at all; without zip's checksums, since the manifest's are read where it matters."""
    no_checksums = torch_files.patch("save.compute_crc32", False)  # type: ignore[attr-defined]  # which it gets at import
    with write_file(target) as aside, naming(target), aside.open("wb") as file, no_checksums:
        torch.save(state, file)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
