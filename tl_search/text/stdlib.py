"""The source code of the running Python's standard library: text that every machine has, split by module.

The demo must run without network and still be a fair experiment. So what a language model is trained on (`train`), what
a classifier learns from (`practice`), what the search selects on (`selection`) and what the winner is reported on
(`confirmation`) come from different modules. The hash of a module's name decides its part, so a module keeps its part
when other modules are added or removed.

The same Python version should give the same text wherever it is installed. So these are left out: modules that some
distributions package separately (tests, IDLE, Tk, distutils, …), files that a program wrote (tables, build settings)
and files that are not UTF-8.
"""

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from tl_search.text.corpus import Corpus

PARTS = ("train", "practice", "selection", "confirmation")

# Module names are hashed into the unit interval; these are the upper ends of the parts on it.
_ENDS = (0.58, 0.72, 0.86, 1.0)

_LEFT_OUT_FOLDERS = {
    "__pycache__", "__phello__", "lib-dynload", "site-packages", "dist-packages", "test", "tests", "idle_test",
    "idlelib", "tkinter", "turtledemo", "lib2to3", "distutils", "ensurepip", "venv", "pydoc_data", "encodings",
}  # fmt: skip
_LEFT_OUT_MODULES = {
    "__hello__", "html.entities", "keyword", "sitecustomize", "stringprep", "symbol", "this", "token", "turtle",
}  # fmt: skip


@dataclass(frozen=True)
class StdlibText(Corpus):
    """The modules of one part of the library, one document each; needs no network.

    Args:
        part: `train` shares no module with the tasks that score embeddings.
    """

    part: str = "train"

    DECIDES: ClassVar = {"weights": "part"}

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ValueError(f"part: must be one of {', '.join(PARTS)}, got {self.part!r}")

    def documents(self) -> Iterator[str]:
        return map(Module.read, modules(self.part))


@dataclass(frozen=True)
class Module:
    """One source file of the standard library.

    Args:
        name: Dotted name; a package's `__init__.py` has the package's name.
    """

    name: str
    path: Path

    @property
    def package(self) -> str:
        """The first part of the dotted name: `asyncio` for `asyncio.queues`."""
        return self.name.partition(".")[0]

    @property
    def part(self) -> str:
        """Which of `PARTS` the module belongs to; its name alone decides."""
        point = int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:8], "big") / 2**64
        return next(part for part, end in zip(PARTS, _ENDS, strict=True) if point < end)

    def read(self) -> str:
        """The file's text with Unix line endings."""
        return self.path.read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def modules(part: str | None = None) -> tuple[Module, ...]:
    """The modules of one part, or of all parts, in the order of their names."""
    if part is None:
        return tuple(sorted(_found(), key=lambda module: module.name))
    StdlibText(part)  # refuses a part that there is not
    return tuple(module for module in modules() if module.part == part)


def python_version() -> str:
    """The version whose library this is, like `3.11.7`."""
    return ".".join(str(number) for number in sys.version_info[:3])


@cache
def library_digest(part: str | None = None) -> str:
    """12 hex digits of the names and the texts of the modules of one part, or of all, in order."""
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
