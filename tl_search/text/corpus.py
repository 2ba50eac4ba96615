"""Where training text comes from: documents in a fixed order."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from tl_search.text.places import absolute, local


class Corpus(Protocol):
    """Documents, the same ones in the same order each time they are asked for."""

    def documents(self) -> Iterator[str]: ...


@dataclass(frozen=True)
class StdlibText:
    """The source text of the running Python's standard library, less what scoring is done on: needs no network.

    Args:
        part: Of the library, by module; `train` shares no module with the tasks that score embeddings.
    """

    part: str = "train"

    def __post_init__(self) -> None:
        from tl_search.text.stdlib import PARTS

        if self.part not in PARTS:
            raise ValueError(f"part: must be one of {', '.join(PARTS)}, got {self.part!r}")

    def documents(self) -> Iterator[str]:
        from tl_search.text.stdlib import modules

        for module in modules(self.part):
            yield module.read()


@dataclass(frozen=True)
class TextFiles:
    """UTF-8 text files, one document each, by name.

    Args:
        path: A file, a folder (all files below it) or a pattern such as `books/**/*.txt`; made absolute.
    """

    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def files(self) -> list[Path]:
        """Raises ValueError when there is none."""
        place = Path(self.path)
        found: Iterable[Path]
        if place.exists():
            found = [place] if place.is_file() else place.rglob("*")
        else:
            found = Path(place.anchor).glob(self.path.removeprefix(place.anchor))
        files = sorted(file for file in found if file.is_file())
        if not files:
            raise ValueError(f"path: must name a text file, a folder of them or a pattern, got {self.path!r}: no file")
        return files

    def documents(self) -> Iterator[str]:
        for file in self.files():
            try:
                yield file.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"data.corpus.path: {file} must be UTF-8 text, got byte {error.start}: {error.reason}"
                ) from error


@dataclass(frozen=True)
class HubDataset:
    """A column of a data set on the Hugging Face Hub, or in a folder that `datasets` can read.

    Args:
        name: Of the data set: `owner/name`, or a folder, which is made absolute.
        split: `train`, or a part of it: `train[:10000]`.
        column: That holds the text.
        configuration: Of the data set, where it has several.
        revision: Commit, tag or branch; a commit is what keeps a run repeatable.
    """

    name: str
    split: str = "train"
    column: str = "text"
    configuration: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", local(self.name))

    @property
    def is_remote(self) -> bool:
        """Whether reading it may mean downloading it."""
        return not Path(self.name).exists()

    def glimpse(self, count: int) -> tuple[list[str], int | None]:
        """(The first documents, how many there are in all where that is said), without the rest being downloaded."""
        from datasets import load_dataset, load_dataset_builder

        try:
            known = load_dataset_builder(self.name, self.configuration, revision=self.revision).info.splits or {}
            whole = self.split.partition("[")[0]  # a stream has no parts
            rows = load_dataset(self.name, self.configuration, split=whole, revision=self.revision, streaming=True)
            total = known[self.split].num_examples if whole in known else None
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(f"data.corpus.name: {self.name} cannot be read: {_one_line(error)}") from error
        first = list(islice(rows, count))
        if first and self.column not in first[0]:
            raise ValueError(f"data.corpus.column: must be one of {', '.join(first[0])}, got {self.column!r}")
        return [row[self.column] for row in first], total or None

    def documents(self) -> Iterator[str]:
        from datasets import load_dataset

        try:
            data = load_dataset(self.name, self.configuration, split=self.split, revision=self.revision)
        except (FileNotFoundError, ValueError) as error:  # no such data set; no such split or configuration
            raise ValueError(f"data.corpus.name: {self.name} cannot be read: {_one_line(error)}") from error
        if self.column not in data.column_names:
            raise ValueError(f"data.corpus.column: must be one of {', '.join(data.column_names)}, got {self.column!r}")
        for rows in data.select_columns([self.column]).iter(batch_size=1000):
            yield from rows[self.column]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def fingerprint(corpus: Corpus) -> tuple[str, int]:
    """(16 hex digits of all documents in order, how many they are): what changes when any letter does."""
    count, state = 0, hashlib.sha256()
    for document in corpus.documents():
        state.update(hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest())
        count += 1
    return state.hexdigest()[:16], count
