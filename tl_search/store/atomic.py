"""Writes files and folders completely or not at all, even if the process is killed or the power fails.

Everything is written under a temporary name in the target's own folder, because a rename is atomic only within one file
system. It is synced and renamed, and then the folder's entry is synced (Pillai et al., "All File Systems Are Not
Created Equal", OSDI 2014).
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
from tl_search.store.fence import may_publish
from tl_search.store.outside import parse_json as parse_json
from tl_search.store.outside import read_json as read_json

ASIDE = ".aside-"
_UMASK = os.umask(0o077)  # at import, when there are no other threads: the only way to read it is to set it
os.umask(_UMASK)


def sync_folder(folder: Path) -> None:
    """Make sure that the folder's list of entries is on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file's name to errors of the block: the error of a write to a full disk does not have it.

    Libraries that are written in other languages raise errors of their own for it; these are raised as OSError here.
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
    """The errno of the OSError behind a library's error; libraries in Rust (safetensors) give it in their message."""
    for one in chain(error):
        if isinstance(one, OSError):
            return one.errno
        if said := re.search(r"\(os error (\d+)\)", str(one)):
            return int(said[1])
    return None


def require_space(path: Path, needed: int) -> None:
    """Raise OSError (ENOSPC) if the file system of `path` has fewer than `needed` bytes free."""
    place = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"No space left: {needed:,} bytes needed, {free:,} free", str(path))


@contextmanager
def write_file(path: Path) -> Iterator[Path]:
    """Gives a temporary file to fill; it replaces `path` when the block ends without an error."""
    if path.is_dir():  # said here, since the rename would name the temporary file
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=ASIDE)
    aside = Path(name)
    try:
        yield aside
        with naming(path):
            os.fchmod(handle, 0o666 & ~_UMASK)
            os.fsync(handle)
        may_publish(path)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def reserve(path: Path, size: int) -> None:
    """Allocate `size` bytes for a file. Without this, writing to a mapped file on a full disk kills the process."""
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS
            require_space(path, size)
            file.truncate(size)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file's content; a reader sees the old content or the new one."""
    with write_file(path) as aside, naming(path):
        aside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Replace the file's content with a text in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace the file's content with JSON, keys in their order. Raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def write_dir(path: Path) -> Iterator[Path]:
    """Gives a temporary folder to fill; it replaces `path` when the block ends without an error.

    Not every system can swap two folders in one step, so an old folder is renamed first. If the process is killed
    between the two renames, there is no folder of that name, but never a mixture of both.
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
        may_publish(path)
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
    may_publish(folder)
    aside = folder.with_name(f"{ASIDE}{folder.name}")
    os.replace(folder, aside)
    shutil.rmtree(aside)


def sweep_litter(folder: Path, idle: float = 0.0) -> int:
    """Remove the temporary files and folders of killed processes below `folder`, and return how many there were.

    Args:
        folder: A folder that this process owns, or one that several processes write to if `idle` is given.
        idle: Seconds for which nothing may have been written to what is removed.
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
    except FileNotFoundError:  # its writer has renamed it just now
        return time.time()
