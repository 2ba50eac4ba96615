"""Named arrays under a key, in one safetensors file each; every array carries its own checksum in the header."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tl_search.store.atomic import write_bytes

_DTYPES = {"I32": np.int32, "I64": np.int64, "F32": np.float32, "F64": np.float64}  # as safetensors names them
_NOTE = "note:"  # before a note's name in the header, where checksums stand under the names of their arrays


class ArrayStore:
    """key → named arrays. A damaged entry is removed and reported as absent: arrays can always be computed again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def __contains__(self, key: str) -> bool:
        """Whether there is an entry; reading it may still find it damaged."""
        return self.path(key).exists()

    def get(self, key: str, names: Collection[str] | None = None) -> dict[str, np.ndarray] | None:
        """The arrays (all, or those of `names`), or None when the key is absent or a checksum disagrees.

        Only what is asked for is read: a column's file holds every layer, a cell needs one.
        """
        path = self.path(key)
        try:
            with safe_open(path, framework="numpy") as file:
                checksums = file.metadata() or {}
                every = [name for name in checksums if not name.startswith(_NOTE)]
                arrays = {name: file.get_tensor(name) for name in (every if names is None else names)}
        except FileNotFoundError:
            return None
        except SafetensorError:
            whole = False
        else:
            whole = all(_checksum(array) == checksums.get(name) for name, array in arrays.items())
        if whole:
            return arrays
        self.damaged.append(key)
        path.unlink(missing_ok=True)
        return None

    def mapped(self, key: str) -> dict[str, np.ndarray] | None:
        """As `get`, but read-only views of the file: no more of it is in memory than is being looked at."""
        if self.get(key) is None:
            return None
        with self.path(key).open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
            views = np.memmap(file, np.uint8, "r", offset=8 + size)
        return {
            name: views[slice(*entry["data_offsets"])].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__"
        }

    def notes(self, key: str) -> dict[str, str]:
        """What was written down beside the arrays; nothing when the key is absent."""
        try:
            with safe_open(self.path(key), framework="numpy") as file:
                about = file.metadata() or {}
        except (FileNotFoundError, SafetensorError):
            return {}
        return {name.removeprefix(_NOTE): value for name, value in about.items() if name.startswith(_NOTE)}

    def put(self, key: str, arrays: Mapping[str, np.ndarray], notes: Mapping[str, str] | None = None) -> None:
        """Write the arrays, and beside them `notes` for people; the file is whole or absent."""
        plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        about = {f"{_NOTE}{name}": value for name, value in (notes or {}).items()}
        about |= {name: _checksum(array) for name, array in plain.items()}
        write_bytes(self.path(key), save(plain, metadata=about))


def _checksum(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
