"""Named arrays on disk: one safetensors file per key, with a checksum of every array in the file's header."""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from tl_search.store.atomic import naming, reserve, write_file

log = logging.getLogger(__name__)

# safetensors' names of dtypes; the numbers in a file are little-endian on every machine.
_DTYPES = {"I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_NOTE = "note:"  # prefix of a note's name in the header; checksums have the names of their arrays there
_KEY = f"{_NOTE}key"  # the key of the entry, so that a file under another entry's name is noticed
_UNKNOWN = "0" * 64  # placeholder with the length of a checksum

Layout = Mapping[str, tuple[tuple[int, ...], np.dtype]]


class ArrayLocation(NamedTuple):
    """Where in a file an array is: everything that another process needs to map it into its memory."""

    file: str
    offset: int
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, array: np.memmap) -> "ArrayLocation":
        """The location of a whole array that `ArrayStore` has mapped; wrong for a slice of one."""
        return cls(str(array.filename), array.offset, array.shape, array.dtype.str)

    def map(self, mode: Any = "r+") -> np.memmap:
        """The array, mapped with numpy's `mode`: "r" to read, "r+" to write as well."""
        return np.memmap(self.file, self.dtype, mode, self.offset, self.shape)


class Entry(NamedTuple):
    """What an entry takes on disk.

    Args:
        size: Bytes of its file.
        used: When it was written, or last `touch`ed, in nanoseconds since 1970.
    """

    key: str
    size: int
    used: int


class ArrayStore:
    """Key → named arrays. A damaged entry is removed and counts as absent, since arrays can be computed again.

    So is the file of another entry under this one's name. Files that were written before they had their key are read.

    Attributes:
        damaged: The keys of the entries that were removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []
        self._told = False  # that an entry has no key

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def __contains__(self, key: str) -> bool:
        """Whether there is an entry; it may turn out to be damaged when it is read."""
        return self.path(key).exists()

    def get(self, key: str, names: Collection[str] | None = None) -> dict[str, np.ndarray] | None:
        """The arrays (all, or those in `names`), or None where the key is absent or a checksum is wrong.

        Only these arrays are read: the file of a column holds all layers, and a cell needs one of them.
        """
        path = self.path(key)
        if path.is_fifo():  # opening it would wait for a writer
            path.unlink()
        if path.is_dir():  # which is nothing to remove
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        try:
            with safe_open(path, framework="numpy") as file:
                checksums = file.metadata() or {}
                if checksums.get(_KEY, key) != key:
                    log.warning("%s: is the file of another entry, %s; it is made anew", path, checksums[_KEY])
                    raise SafetensorError("another entry's")
                if _KEY not in checksums and not self._told:
                    self._told = True
                    log.info("%s: has files of before, which do not say their entries; they are used", self.folder)
                every = [name for name in checksums if not name.startswith(_NOTE)]
                if not every:
                    raise SafetensorError("no arrays")
                wanted = every if names is None else names
                if any(file.get_slice(name).get_dtype() not in _DTYPES for name in wanted):
                    raise SafetensorError("arrays of another kind")
                arrays = {name: file.get_tensor(name) for name in wanted}
            if all(_checksum(array) == checksums.get(name) for name, array in arrays.items()):
                return arrays
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError):  # the latter: of a shape that numpy cannot make
            pass
        self.remove(key)
        return None

    def remove(self, key: str) -> None:
        """Remove a damaged entry, such as one whose arrays cannot be what its key stands for."""
        self.damaged.append(key)
        self.path(key).unlink(missing_ok=True)

    def drop(self, key: str) -> int:
        """Remove an entry that is sound but not wanted any more. Returns the bytes that its file had."""
        try:
            size = self.path(key).stat().st_size
            self.path(key).unlink()
        except FileNotFoundError:
            return 0
        return size

    def touch(self, key: str) -> None:
        """Note that an entry is used now; nothing where it is gone, or belongs to somebody else."""
        with suppress(OSError):
            os.utime(self.path(key))

    def entries(self) -> list[Entry]:
        """All entries, whole or damaged, those that were used longest ago first."""
        found = []
        for path in self.folder.glob("??/*.safetensors"):
            with suppress(FileNotFoundError):  # removed by another process meanwhile
                about = path.stat()
                if path == self.path(path.stem):
                    found.append(Entry(path.stem, about.st_size, about.st_mtime_ns))
        return sorted(found, key=lambda entry: (entry.used, entry.key))

    def mapped(self, key: str) -> dict[str, np.memmap] | None:
        """Like `get`, but the arrays are read-only maps of the file, so only the parts in use take up memory."""
        if not self.whole(key):
            return None
        with self.path(key).open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        return {name: place.map("r") for name, place in _locations(self.path(key), header, 8 + size).items()}

    def whole(self, key: str) -> bool:
        """Whether `get` would return the entry; reads one array at a time to save memory."""
        if self.get(key, ()) is None:
            return False
        names = [name for name in self._about(key) if not name.startswith(_NOTE)]
        return all(self.get(key, [name]) is not None for name in names)

    def notes(self, key: str) -> dict[str, str]:
        """The notes that were stored with the arrays; none where the key is absent."""
        about = self._about(key).items()
        return {name.removeprefix(_NOTE): value for name, value in about if name.startswith(_NOTE) and name != _KEY}

    def _about(self, key: str) -> dict[str, str]:
        """Checksums and notes by name; none where the key is absent or its file is damaged."""
        try:
            with safe_open(self.path(key), framework="numpy") as file:
                return file.metadata() or {}
        except (FileNotFoundError, SafetensorError):
            return {}

    def put(self, key: str, arrays: Mapping[str, np.ndarray], notes: Mapping[str, str] | None = None) -> None:
        """Store arrays, with `notes` for people; a file is complete or absent."""
        layout = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        with self.create(key, layout, notes) as created:
            for name, array in arrays.items():
                created[name][...] = array

    @contextmanager
    def create(
        self, key: str, layout: Layout, notes: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, np.memmap]]:
        """Like `put`, for arrays that may be larger than memory: the block fills arrays that are mapped to the file.

        They are zero at first. If the block raises, nothing is stored.

        Args:
            layout: Name → (shape, dtype); the dtype is int32, int64, float32 or float64.
        """
        path = self.path(key)
        about = {f"{_NOTE}{name}": value for name, value in (notes or {}).items()} | {_KEY: key}
        tensors = _tensors(layout)
        draft = _header(tensors, about | dict.fromkeys(layout, _UNKNOWN))
        with write_file(path) as aside:
            with naming(path):
                reserve(aside, len(draft) + max((entry["data_offsets"][1] for entry in tensors.values()), default=0))
            arrays = {name: place.map() for name, place in _locations(aside, tensors, len(draft)).items()}
            yield arrays
            header = _header(tensors, about | {name: _checksum(array) for name, array in arrays.items()})
            assert len(header) == len(draft)
            with naming(path), aside.open("r+b") as file:
                for array in arrays.values():
                    array.flush()
                file.write(header)


def _tensors(layout: Layout) -> dict[str, dict[str, Any]]:
    """The header's entries in the order of the data: wide dtypes first, which aligns all arrays, then by name."""
    tensors, end = {}, 0
    for name, (shape, dtype) in sorted(layout.items(), key=lambda entry: (-np.dtype(entry[1][1]).itemsize, entry[0])):
        start, end = end, end + int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        tensors[name] = {"dtype": _NAMES[np.dtype(dtype)], "shape": list(shape), "data_offsets": [start, end]}
    return tensors


def _header(tensors: Mapping[str, Any], about: Mapping[str, str]) -> bytes:
    """The bytes before the data, padded so that the data is aligned to 8 bytes."""
    text = json.dumps({"__metadata__": dict(about), **tensors}, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _locations(file: Path, tensors: Mapping[str, Any], start: int) -> dict[str, ArrayLocation]:
    return {
        name: ArrayLocation(str(file), start + entry["data_offsets"][0], tuple(entry["shape"]), _DTYPES[entry["dtype"]])
        for name, entry in tensors.items()
    }


def _checksum(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()
