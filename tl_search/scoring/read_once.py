"""Labels as plain lists: mteb asks a data set for them one by one, again and again, and each time it reads a file."""

from typing import Any

import numpy as np


class ReadOnce:
    """A table whose column of labels is in memory; mteb samples training rows from it."""

    def __init__(self, table: Any, column: str) -> None:
        self.table, self.column, self.labels = table, column, list(table[column])

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, column: str) -> Any:
        return self.labels if column == self.column else self.table[column]

    def select(self, rows: list[int]) -> Any:
        """The rows as a table of the kind that it was made from."""
        return self.table.select(rows)


def read_labels_once(task: Any) -> None:
    """Make a classification task read the labels of each table once; its scores stay the same."""
    undersample, calculate = task._undersample_data, task._calculate_scores
    tables: list[ReadOnce] = []
    known: list[tuple[Any, np.ndarray]] = []

    def training(table: Any, number: int, rows: list[int] | None = None) -> Any:
        if not tables or tables[-1].table is not table:
            tables[:] = [ReadOnce(table, task.label_column_name)]
        return undersample(tables[-1], number, rows)

    def scores(labels: Any, predicted: Any) -> Any:
        if not known or not _same(known[-1][0], labels):
            known[:] = [(labels, np.asarray(list(labels)))]
        return calculate(known[-1][1], predicted)

    task._undersample_data, task._calculate_scores = training, scores


def _same(known: Any, labels: Any) -> bool:
    """Whether two columns are of one table: mteb makes a new object of the column each time it asks for it."""
    source = getattr(labels, "source", None)
    return known is labels or (source is not None and getattr(known, "source", None) is source)
