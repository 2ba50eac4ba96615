"""Files and folders that are there whole or not at all, also after kill -9 or a power cut.

Everything is written aside *in the target's own folder* (a rename is atomic only within one file system), synced,
renamed, and the folder's entry synced (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

import errno
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tl_search.errors.ranks import chain

ASIDE = ".aside-"
_UMASK = os.umask(0o077)  # at import: it is read by being set, which other threads would notice
os.umask(_UMASK)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the block say which file they are about: a write to a full disk knows only its handle.

    Libraries that write in other languages make errors of their own kinds of it, which become OSError again.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
    except Exception as error:
        number = _disk_error(error)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _disk_error(error: BaseException) -> int | None:
    """The number of the system's error behind a library's, in Rust's words (safetensors) or hidden (PyTorch)."""
    for one in chain(error):
        if isinstance(one, OSError):
            return one.errno
        if said := re.search(r"\(os error (\d+)\)", str(one)):
            return int(said[1])
    return None


def require_space(path: Path, needed: int) -> None:
    """Raises OSError (ENOSPC) when the file system of `path` has no room for so many bytes: better than half a file."""
    place = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"No space left: {needed:,} bytes needed, {free:,} free", str(path))


@contextmanager
def write_file(path: Path) -> Iterator[Path]:
    """A file to fill; it gets its name when the block ends without an error, and replaces what had it before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=ASIDE)
    aside = Path(name)
    try:
        yield aside
        with naming(path):
            os.fchmod(handle, 0o666 & ~_UMASK)
            os.fsync(handle)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def reserve(path: Path, size: int) -> None:
    """Give a file its size, and the disk's blocks for it: a mapped write that finds the disk full kills the process."""
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS
            require_space(path, size)
            file.truncate(size)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file's content; a reader sees the old or the new, never a part."""
    with write_file(path) as aside, naming(path):
        aside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Keys keep their order; NaN and infinity are refused, since JSON has no word for them."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Raises ValueError naming the file when it is not JSON."""
    try:
        return json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: damaged, not JSON ({error})") from error


@contextmanager
def write_dir(path: Path) -> Iterator[Path]:
    """A folder to fill; it gets its name when the block ends without an error, and replaces what had it before.

    A folder cannot be swapped in one step everywhere, so a replaced one is moved aside first; a kill between the
    two renames leaves no folder of that name, never a mixed one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=ASIDE))
    try:
        aside.chmod(0o777 & ~_UMASK)
        with naming(path):
            yield aside
        for file in sorted(aside.rglob("*")):
            if file.is_dir():
                sync_folder(file)
            else:
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
        sync_folder(aside)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=ASIDE))
            os.replace(path, old / "old")
            os.replace(aside, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(aside, path)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    sync_folder(path.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder that others look for by its name, which a half-removed one must not bear."""
    aside = folder.with_name(f"{ASIDE}{folder.name}")
    os.replace(folder, aside)
    shutil.rmtree(aside)


def sweep_litter(folder: Path, idle: float = 0.0) -> int:
    """Remove what killed writers left aside below `folder`. Returns how many.

    Only the folder's one owner may call this; where others write too, only for what nobody has written to in so many
    `idle` seconds.
    """
    until = time.time() - idle
    litter = [entry for entry in folder.rglob(f"{ASIDE}*") if not idle or _written(entry) < until]
    for entry in litter:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    return len(litter)


def _written(entry: Path) -> float:
    try:
        return entry.lstat().st_mtime
    except FileNotFoundError:  # just now renamed by its writer
        return time.time()
