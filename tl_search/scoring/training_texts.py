"""A task's training texts: what neither chooses an arm nor reports on one."""

from collections.abc import Iterator
from typing import Any

from tl_search.scoring.evaluation import describe, fresh_task, split_data

MOST = 20_000  # rows that are read of a split, evenly spaced; the largest have millions

# Where mteb's kinds of task name their columns of text.
_COLUMNS = ("input_column_name", "input1_column_name", "input2_column_name")


def training_texts(name: str, split: str, subset: str | None = None, apart: str | None = None) -> tuple[str, ...]:
    """Each once, in the order of the data; none where the task has no training split, or no table of texts there.

    Nothing but texts is read, and a retrieval's documents are not, which all of its splits share.

    Args:
        name: The task's name.
        split: One that it is scored on, with which the others are loaded.
        subset: As in `describe`.
        apart: A split that is not read, even if it is the training split.

    Raises:
        ValueError: there is no such task, split or subset.
    """
    spec = describe(name, split, subset)
    task = fresh_task(spec)
    training, data = getattr(task, "train_split", "train"), split_data(task, spec.subset)
    table = data[training] if training in data and training != apart else None
    columns = [column for column in _columns(task) if column in getattr(table, "column_names", ())]
    if table is None or not columns:
        return ()
    table = table.select_columns(columns).select(range(0, len(table), -(-len(table) // MOST) or 1))
    return tuple(dict.fromkeys(text for row in table for text in _texts(list(row.values()))))


def _columns(task: Any) -> list[str]:
    named = [getattr(task, attribute, None) for attribute in _COLUMNS]
    return [name for name in (*named, *getattr(task, "column_names", ())) if isinstance(name, str)]


def _texts(value: Any) -> Iterator[str]:
    """Some tasks have lists of texts in a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
