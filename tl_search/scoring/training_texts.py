"""A task's training texts, on which arms are neither selected nor reported."""

from collections.abc import Iterator
from typing import Any

from tl_search.plane.pull import TaskSpec
from tl_search.scoring.evaluation import fresh_task, split_data
from tl_search.scoring.rows import text_columns

MOST = 20_000  # rows that are read from a split, at even distances; the largest splits have millions


def training_texts(spec: TaskSpec, apart: str | None = None) -> tuple[str, ...]:
    """The texts of the task's training split, each once, in the order of the data.

    There are none where the task has no training split, or no table of texts in it. The documents of a retrieval task
    are not read, because all of its splits share them.

    Args:
        spec: The task on a split that it is scored on; the others are loaded together with it.
        apart: A split that is never read, even if it is the training split.
    """
    task = fresh_task(spec)
    training = getattr(task, "train_split", "train")
    found: dict[str, None] = {}
    for subset in spec.subsets:
        data = split_data(task, subset)
        table = data[training] if training in data and training != apart else None
        columns = [column for column in text_columns(task) if column in getattr(table, "column_names", ())]
        if table is not None and columns:
            table = table.select_columns(columns).select(range(0, len(table), -(-len(table) // MOST) or 1))
            found |= dict.fromkeys(text for row in table for text in _texts(list(row.values())))
    return tuple(found)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value: some tasks have lists of texts in one row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
