"""Named arrays under a key, in one safetensors file each, with their own checksum."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from tl_search.store.atomic import write_bytes


class ArrayStore:
    """key → named arrays. A damaged entry is removed and reported as absent: arrays can always be computed again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays, or None when the key is absent or its file does not agree with its checksum."""
        path = self.path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, body = data[:32], data[32:]
        if hashlib.sha256(body).digest() != checksum:
            self.damaged.append(key)
            path.unlink(missing_ok=True)
            return None
        return load(body)

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays once; the file is whole or absent."""
        body = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        write_bytes(self.path(key), hashlib.sha256(body).digest() + body)
