"""Lets mteb's classification read a label column once, where it would ask the data set for it again and again.

A column of a data set is read from its file value by value whenever it is asked for: 27,000 training labels take ten
times longer to read, for every experiment of every cell, than everything else that a classifier does.
"""

from typing import Any

import numpy as np


def read_labels_once(task: Any) -> None:
    """Change a classification task so that it draws, fits and measures with labels in memory; its scores are equal."""
    experiment, undersample = task._run_experiment, task._undersample_data
    read: dict[int, Labelled] = {}  # by the id of a table, which the value keeps alive

    def labelled(table: Any) -> Labelled:
        if id(table) not in read:
            read[id(table)] = Labelled(table, task.label_column_name)
        return read[id(table)]

    def sampled(table: Any, number: int, places: Any = None) -> Any:
        return undersample(labelled(table), number, places)

    def run(drawn: Any, measured: Any, *vectors: Any, **options: Any) -> Any:
        return experiment(Labelled(drawn, task.label_column_name), labelled(measured), *vectors, **options)

    task._undersample_data, task._run_experiment = sampled, run


class Labelled:
    """A table whose label column is in memory; all else is asked of the table."""

    def __init__(self, table: Any, column: str) -> None:
        self.table, self.column, self.labels = table, column, np.asarray(table[column][:])

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, key: Any) -> Any:
        return self.labels if key == self.column else self.table[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)
