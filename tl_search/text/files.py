"""A corpus of the user's own text files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tl_search.text.corpus import Corpus
from tl_search.text.paths import absolute


@dataclass(frozen=True)
class TextFiles(Corpus):
    """UTF-8 text files, in the order of their names; each is one document.

    Args:
        path: A file, a folder (all files below it) or a pattern such as `books/**/*.txt`; it is made absolute.
    """

    path: str

    DECIDES: ClassVar = {"weights": "path"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check(self) -> None:
        self._files()

    def _files(self) -> list[Path]:
        place = Path(self.path)
        found: Iterable[Path]
        if place.exists():
            found = [place] if place.is_file() else place.rglob("*")
        else:
            found = Path(place.anchor).glob(self.path.removeprefix(place.anchor))
        files = sorted(file for file in found if file.is_file())
        if not files:
            raise ValueError(
                f"path: must name a text file, a folder of text files or a pattern, got {self.path!r}: no file"
            )
        return files

    def documents(self) -> Iterator[str]:
        for file in self._files():
            try:
                yield file.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"data.corpus.path: {file} must be UTF-8 text, got byte {error.start}: {error.reason}"
                ) from error
