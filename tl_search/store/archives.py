"""Zip archives that somebody else may have written, as torch writes them: their content has its size on disk."""

import zipfile
from pathlib import Path


def check_archive(path: Path) -> None:
    """Refuse a zip archive that unpacks to more than it holds; files of other kinds are left to their readers.

    torch compresses nothing, so its archives do not. One that does is small on disk, and large once it is in memory.

    Raises:
        ValueError: it is compressed, or its parts overlap; the message names the file.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
        try:
            with zipfile.ZipFile(file) as archive:
                parts = archive.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            return  # torch cannot read it either, and says so
    size, unpacked = path.stat().st_size, sum(part.file_size for part in parts)
    if unpacked > size or any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError(f"{path}: is a compressed archive ({size:,} bytes, which unpack to {unpacked:,})")
