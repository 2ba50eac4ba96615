"""Manifests: the size and sha256 of every file in a folder. They are written last, so a folder with one is complete."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_search.store.atomic import write_json
from tl_search.store.keys import check_name, digest
from tl_search.store.mistaken import told
from tl_search.store.outside import read_json
from tl_search.store.typed_json import fitting, from_plain

NAME = "MANIFEST.json"
FACTS = "facts_digest"  # the entry with the digest of the facts; manifests that were written before have none


class DamagedError(ValueError):
    """A folder's content is not what its manifest says; the message names the first file that differs."""


@dataclass(frozen=True)
class Listed:
    """What a manifest says of a file."""

    bytes: int
    sha256: str


def file_digest(path: Path) -> str:
    """The sha256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, **facts: Any) -> dict[str, Any]:
    """Write the manifest of all files below `folder`, with `facts` (step, tokens, …). It must be written last."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }
    facts.pop(FACTS, None)
    manifest = {**facts, **({FACTS: digest(facts)} if facts else {}), "files": files}
    write_json(folder / NAME, manifest)
    return manifest


def is_listed(folder: Path) -> bool:
    """Whether a folder has a manifest of ours; other programs may call a file of another form so."""
    try:
        return bool(read_json(folder / NAME)["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return False


def read_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest.

    Raises:
        DamagedError: there is none, so the folder is incomplete; or its facts are not those that were written.
    """
    path = folder / NAME
    if not path.is_file():
        raise DamagedError(f"{folder}: no {NAME}, so it was never finished")
    try:
        manifest = read_json(path)
        with fitting(path):
            files = from_plain(Mapping[str, Listed], from_plain(Mapping[str, Any], manifest)["files"], "files")
            if not files:
                raise ValueError("it lists no files")
            for name in files:
                check_name(name, "files", folders=True)
    except ValueError as error:
        raise DamagedError(str(error)) from error
    facts = {name: fact for name, fact in manifest.items() if name not in (FACTS, "files")}
    if FACTS in manifest and manifest[FACTS] != digest(facts):
        raise DamagedError(f"{path}: its {', '.join(facts)} are not as they were written")
    return manifest


def verify(folder: Path) -> dict[str, Any]:
    """The manifest, after reading and checking every file that it lists. Raises DamagedError if one differs."""
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise DamagedError(f"{folder / NAME}: names a file outside its folder: {name!r}")
        if not path.is_file():
            raise DamagedError(f"{folder / name}: missing{told(path)}")
        if path.stat().st_size != expected["bytes"]:
            size = path.stat().st_size
            raise DamagedError(f"{folder / name}: {size} bytes, expected {expected['bytes']}{told(path)}")
        if file_digest(path) != expected["sha256"]:
            raise DamagedError(f"{folder / name}: its sha256 differs from {NAME} (interrupted copy?){told(path)}")
    return manifest
