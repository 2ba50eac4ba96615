"""Files and folders that are there whole or not at all, also after kill -9 or a power cut.

Everything is written aside *in the target's own folder* (a rename is atomic only within one file system), synced,
renamed, and the folder's entry synced (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ASIDE = ".aside-"


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the block say which file they are about: a write to a full disk knows only its handle."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def require_space(path: Path, needed: int) -> None:
    """Raises OSError (ENOSPC) when the file system of `path` has no room for so many bytes: better than half a file."""
    place = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"No space left: {needed:,} bytes needed, {free:,} free", str(path))


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file's content; a reader sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=ASIDE)
    try:
        with os.fdopen(handle, "wb") as file, naming(path):
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


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
        aside.chmod(0o777 & ~_umask())
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


def sweep_litter(folder: Path) -> int:
    """Remove what killed writers left aside below `folder`; only its one owner may call this. Returns how many."""
    litter = [entry for entry in folder.rglob(f"{ASIDE}*") if entry.exists()]
    for entry in litter:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    return len(litter)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
