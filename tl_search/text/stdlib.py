"""Text that every machine has: the running Python's own library, split by module.

A demo must run without network, and still be a fair experiment: what a language model
reads ("train"), what a classifier's head learns from ("practice"), what the search
chooses on ("selection") and what the chosen is reported on ("confirmation") come from
different modules. A module's part follows from the hash of its name alone, so that it
stays where it is when other modules come or go.

Left out is what distributions package apart (tests, IDLE, Tk, distutils, …), what a
program wrote (tables, build settings) and what is not UTF-8: the same Python version
should mean the same text wherever it is installed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PARTS = ("train", "practice", "selection", "confirmation")

# Upper ends of the parts on the unit interval into which module names are hashed.
_ENDS = (0.58, 0.72, 0.86, 1.0)

_LEFT_OUT_FOLDERS = frozenset(
    {
        "__pycache__",
        "__phello__",
        "lib-dynload",
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "idle_test",
        "idlelib",
        "tkinter",
        "turtledemo",
        "lib2to3",
        "distutils",
        "ensurepip",
        "venv",
        "pydoc_data",
        "encodings",
    }
)
_LEFT_OUT_MODULES = frozenset(
    {
        "__hello__",
        "html.entities",
        "keyword",
        "sitecustomize",
        "stringprep",
        "symbol",
        "this",
        "token",
        "turtle",
    }
)


@dataclass(frozen=True)
class Module:
    """One source file of the standard library.

    Args:
        name: Dotted name; a package's `__init__.py` has the package's name.
        path: Where the file lies on this machine.
    """

    name: str
    path: Path

    @property
    def package(self) -> str:
        """The first part of the dotted name: `asyncio` for `asyncio.queues`."""
        return self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """Which of `PARTS` the module belongs to: a function of its name alone."""
        place = int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:8], "big") / 2**64
        return next(part for part, end in zip(PARTS, _ENDS, strict=True) if place < end)

    def read(self) -> str:
        """The file's text with Unix line ends."""
        return self.path.read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def modules(part: str | None = None) -> tuple[Module, ...]:
    """The modules of one part, or of all parts, in the order of their names."""
    if part is None:
        return tuple(sorted(_found(), key=lambda module: module.name))
    if part not in PARTS:
        raise ValueError(f"part: must be one of {', '.join(PARTS)}, got {part!r}")
    return tuple(module for module in modules() if module.part == part)


def python_version() -> str:
    """The version whose library this is, like `3.11.7`."""
    return ".".join(str(number) for number in sys.version_info[:3])


@cache
def fingerprint(part: str | None = None) -> str:
    """Twelve hex digits of the names and the text of the modules, in order."""
    digest = hashlib.sha256()
    for module in modules(part):
        for piece in (module.name, module.read()):
            digest.update(hashlib.sha256(piece.encode()).digest())
    return digest.hexdigest()[:12]


def _found() -> Iterator[Module]:
    root = Path(sysconfig.get_path("stdlib"))
    for folder, below, files in os.walk(root):
        # pruned while walking: site-packages may hold a hundred times the library's files
        below[:] = [name for name in below if name not in _LEFT_OUT_FOLDERS and not name.startswith("config-")]
        packages = Path(folder).relative_to(root).parts
        for file in files:
            path, stem = Path(folder, file), file.removesuffix(".py")
            name = ".".join(packages if stem == "__init__" else (*packages, stem))
            if file == stem or name in _LEFT_OUT_MODULES or name.startswith("_sysconfigdata"):
                continue
            if _is_text(path):
                yield Module(name, path)


def _is_text(path: Path) -> bool:
    try:
        return bool(path.read_bytes().decode("utf-8").strip())
    except UnicodeDecodeError:
        return False
