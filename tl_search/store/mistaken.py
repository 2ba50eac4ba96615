"""Tells what a file is that somebody has put in the place of another one, by its first bytes."""

from pathlib import Path

_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = (b"<!doctype html", b"<html", b"<head")
_ENOUGH = 512  # bytes


def mistaken(path: Path) -> str:
    """What stands there instead of a model or a state, and what helps; empty where it is none of the usual mistakes."""
    if path.is_dir():
        return "is a folder"
    with path.open("rb") as file:
        head = file.read(_ENOUGH)
    if not head:
        return "has 0 bytes"
    if head.startswith(_POINTER):
        return "is a pointer of Git LFS and not the file itself, which git lfs pull brings"
    if head.lstrip().lower().startswith(_PAGE):
        return "is a web page, as a server sends it in the place of a file that needs a login or is gone"
    return "" if head.strip(b"\0") else "holds nothing but zeros at its beginning"


def told(path: Path) -> str:
    """The same as the end of an error message; empty also where the file cannot be opened."""
    try:
        said = mistaken(path)
    except OSError:
        return ""
    return f"; it {said}" if said else ""
