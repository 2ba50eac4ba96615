"""A corpus from a data set of the Hugging Face Hub."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from tl_search.text.corpus import Corpus
from tl_search.text.paths import local


@dataclass(frozen=True)
class HubDataset(Corpus):
    """A column of a data set on the Hugging Face Hub, or of one in a folder that `datasets` can read.

    Args:
        name: The data set's name, `owner/name`, or a folder, which is made absolute.
        split: `train`, or a part of it such as `train[:10000]`.
        column: The column that holds the text; each row is one document.
        configuration: The data set's configuration, where it has several.
        revision: Commit, tag or branch; only a commit makes sure that the text stays the same.
    """

    name: str
    split: str = "train"
    column: str = "text"
    configuration: str | None = None
    revision: str | None = None

    DECIDES: ClassVar = {"weights": "name split column configuration revision"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", local(self.name))

    @property
    def remote(self) -> str | None:
        return None if Path(self.name).exists() else self.name

    def glimpse(self, count: int) -> tuple[list[str], int | None]:
        from datasets import load_dataset, load_dataset_builder

        try:
            known = load_dataset_builder(self.name, self.configuration, revision=self.revision).info.splits or {}
            whole = self.split.partition("[")[0]  # a stream cannot be cut into parts
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
