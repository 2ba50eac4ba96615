"""Lets mteb's classification read a label column once, where it would ask the data set for it again and again.

A column of a data set is read from its file whenever one of its values is asked for: 27,000 training labels take ten
times longer to read, for every experiment of every cell, than everything else that a classifier does.
"""

from typing import Any

import numpy as np


def read_labels_once(task: Any) -> None:
    """Change a classification task so that it measures and samples with labels in memory; its scores are the same."""
    calculate, undersample = task._calculate_scores, task._undersample_data
    column = task.label_column_name
    read: dict[int, _Labelled] = {}  # by the id of a table, which the value keeps alive

    def sampled(table: Any, experiment: int, places: Any = None) -> Any:
        if id(table) not in read:
            read.clear()
            read[id(table)] = _Labelled(table, column)
        return undersample(read[id(table)], experiment, places)

    task._calculate_scores = lambda labels, predicted: calculate(np.asarray(list(labels)), predicted)
    task._undersample_data = sampled


class _Labelled:
    """A table whose label column is a list; all else is asked of the table."""

    def __init__(self, table: Any, column: str) -> None:
        self.table, self.column, self.labels = table, column, list(table[column])

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, key: Any) -> Any:
        return self.labels if key == self.column else self.table[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)
