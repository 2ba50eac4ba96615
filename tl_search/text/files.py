"""A corpus of the user's own text files."""

import os
import warnings
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from tl_search.text.corpus import Corpus
from tl_search.text.paths import PACKED, absolute, holds_rows

_BEGINNING = 256  # bytes of a JSON file that show whether it is a list of objects


@dataclass(frozen=True)
class TextFiles(Corpus):
    """UTF-8 text files, in the order of their names; each is one document.

    Files and folders whose names begin with a dot are left out, unless `path` names them.

    Args:
        path: A file, a folder (all files below it) or a pattern such as `books/**/*.txt`; it is made absolute.
    """

    path: str

    DECIDES: ClassVar = {"weights": "path"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check(self) -> None:
        files = self._files()
        if not files:
            raise ValueError(f"path: {self._none()}")
        if not any(_holds_text(file) for file in files):
            raise ValueError(f"path: must name files that hold text, got {self.path!r}: {len(files)} empty")
        rows = [file for file in files if _holds_rows(file)]
        if len(rows) == len(files):
            # the name of a pattern's data set is the folder that holds all files
            name = files[0] if len(files) == 1 else os.path.commonpath(files)
            raise ValueError(
                f"path: must be plain text, got {rows[0]}, which holds rows; data=hub "
                f"data.corpus.name={name} data.corpus.column=text reads one of their columns"
            )
        if rows:
            told = f"{len(rows)}, such as {rows[0]}; data=hub reads a column of them"
            warnings.warn(f"data.corpus.path: files of rows that are read as plain text: {told}", stacklevel=2)

    def _files(self, hidden: bool = False) -> list[Path]:
        place = Path(self.path)
        found: Iterable[Path]
        if place.exists():
            found = [place] if place.is_file() else place.rglob("*")
        else:
            found = Path(place.anchor).glob(self.path.removeprefix(place.anchor))
        there = sorted(file for file in found if file.is_file())
        return [file for file in there if hidden or self._names(file)]

    def _none(self) -> str:
        there = self._files(hidden=True)
        only = f"only hidden ones, such as {there[0]}, which must be named" if there else "no file"
        return f"must name a text file, a folder of text files or a pattern, got {self.path!r}: {only}"

    def _names(self, file: Path) -> bool:
        """Whether the path names every hidden part of a file's own path."""
        named = [part for part in Path(self.path).parts if part.startswith(".")]
        hidden = [part for part in file.parts if part.startswith(".")]
        return all(part in named or any(fnmatchcase(part, pattern) for pattern in named) for part in hidden)

    def documents(self) -> Iterator[str]:
        return map(_text, self._some(self._files()))

    def documents_by_first_rules(self) -> Iterator[str]:
        return map(_text, self._some(self._files(hidden=True)))

    def _some(self, files: list[Path]) -> list[Path]:
        if not files:
            raise ValueError(f"data.corpus.path: {self._none()}")
        return files


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        hint = "; it must be unpacked first" if file.suffix in PACKED else ""
        raise ValueError(
            f"data.corpus.path: {file} must be UTF-8 text, got byte {error.start}: {error.reason}{hint}"
        ) from error


def _holds_rows(file: Path) -> bool:
    """Whether a file is one of rows; a `.json` file may also be a document of its own."""
    if file.suffix != ".json":
        return holds_rows(file.name)
    with file.open("rb") as content:
        return content.read(_BEGINNING).removeprefix(BOM_UTF8).translate(None, b" \t\r\n").startswith(b"[{")


def _holds_text(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(len(BOM_UTF8) + 1) not in (b"", BOM_UTF8)
