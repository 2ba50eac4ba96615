"""A corpus from a data set of the Hugging Face Hub."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from tl_search.errors.nearest import did_you_mean
from tl_search.text.corpus import Corpus
from tl_search.text.paths import holds_rows, local
from tl_search.text.rows import DAMAGED, arguments, bad_file, one_line
from tl_search.text.rows import place as place_of


@dataclass(frozen=True)
class HubDataset(Corpus):
    """A column of a data set on the Hugging Face Hub, or of files that `datasets` can read (JSONL, CSV, Parquet, …).

    Args:
        name: The data set's name, `owner/name`, or a file or a folder of files, which is made absolute.
        split: `train`, or a part of it such as `train[:10000]`.
        column: The column that holds the text; each row is one document.
        configuration: The data set's configuration, where it has several.
        revision: Commit, tag or branch; only a commit makes sure that the text stays the same.
        skip_nulls: Whether rows without a value are left out; otherwise they are refused.
    """

    name: str
    split: str = "train"
    column: str = "text"
    configuration: str | None = None
    revision: str | None = None
    skip_nulls: bool = False

    DECIDES: ClassVar = {"weights": "name split column configuration revision skip_nulls"}
    ADDED: ClassVar = {"skip_nulls": False}

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", local(self.name))

    @property
    def remote(self) -> str | None:
        return None if Path(self.name).exists() else self.name

    def check(self) -> None:
        place = Path(self.name)
        if holds_rows(self.name) and not place.exists():
            beside = (file.name for file in place.parent.iterdir()) if place.parent.is_dir() else ()
            raise ValueError(f"name: there is no file {self.name}{did_you_mean(place.name, beside)}")
        files = [file for file in (place, *place.rglob("*")) if file.is_file()]
        if place.exists() and not any(file.stat().st_size for file in files):
            raise ValueError(f"name: must hold rows of text, got {self.name}: {len(files)} files of 0 bytes")

    def glimpse(self, count: int) -> tuple[list[str], int | None]:
        from datasets import load_dataset, load_dataset_builder

        with self._readable():
            place, which = arguments(self.name)
            known = load_dataset_builder(place, self.configuration, revision=self.revision, **which).info.splits or {}
            whole = self.split.partition("[")[0]  # a stream cannot be cut into parts
            rows = load_dataset(place, self.configuration, split=whole, revision=self.revision, streaming=True, **which)
            total = known[self.split].num_examples if whole in known else None
            first = list(islice(rows, count))
        if first:
            self._check_column(list(first[0]))
        return list(self._texts(row[self.column] for row in first)), total or None

    def documents(self) -> Iterator[str]:
        from datasets import load_dataset

        with self._readable():
            place, which = arguments(self.name)
            data = load_dataset(place, self.configuration, split=self.split, revision=self.revision, **which)
        self._check_column(data.column_names)
        yield from self._texts(self._values(data.select_columns([self.column])))

    def _values(self, data: Any) -> Iterator[Any]:
        with self._readable():  # some files prove damaged only when their values are made
            for rows in data.iter(batch_size=1000):
                yield from rows[self.column]

    def _check_column(self, columns: list[str]) -> None:
        if self.column not in columns:
            raise ValueError(f"data.corpus.column: must be one of {', '.join(columns)}, got {self.column!r}")

    def _texts(self, values: Iterable[Any]) -> Iterator[str]:
        """The values of the column, all of them texts."""
        skipped = 0
        for number, value in enumerate(values):
            if isinstance(value, str):
                yield value
            elif value is None and self.skip_nulls:
                skipped += 1
            else:
                where = None if self.remote else place_of(self.name, self.configuration, self.split, number)
                where = where or f"row {number + 1} of {self.split} in {self.name}"
                got = "null" if value is None else f"{str(value)[:60]!r} ({type(value).__name__})"
                skip = "; data.corpus.skip_nulls=true leaves out rows without text" if value is None else ""
                raise ValueError(f"data.corpus.column: {self.column!r} must be text, got {got} in {where}{skip}")
        if skipped:
            warnings.warn(f"data.corpus: rows with null that were skipped: {skipped}", stacklevel=2)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Says in one line why a data set cannot be read, and in which file; the library's own lines are silenced."""
        from datasets.exceptions import DatasetsError
        from datasets.utils import logging as told

        before = told.get_verbosity()
        told.set_verbosity(told.CRITICAL)
        try:
            yield
        except (FileNotFoundError, ValueError, RuntimeError, StopIteration, DatasetsError, *DAMAGED) as error:
            found = None if self.remote else bad_file(self.name, self.configuration)
            raise ValueError(f"data.corpus.name: {self.name} cannot be read: {found or one_line(error)}") from error
        finally:
            told.set_verbosity(before)
