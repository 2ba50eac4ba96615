"""Named arrays under a key, in one safetensors file each; every array carries its own checksum in the header."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tl_search.store.atomic import write_bytes


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
                arrays = {name: file.get_tensor(name) for name in (checksums if names is None else names)}
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

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays; the file is whole or absent."""
        plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_bytes(self.path(key), save(plain, metadata={name: _checksum(array) for name, array in plain.items()}))


def _checksum(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
