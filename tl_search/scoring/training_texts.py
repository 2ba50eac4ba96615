"""A task's training texts, on which arms are neither selected nor reported, and those on which they are."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tl_search.plane.pull import TaskSpec
from tl_search.plane.share import ALL
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
    task = fresh_task(replace(spec, items=ALL))  # readouts, and so arms, are the same whatever share is scored
    training = getattr(task, "train_split", "train")
    return () if training == apart else tuple(_of_split(task, spec, training, MOST) or ())


def judged_texts(spec: TaskSpec) -> tuple[str, ...] | None:
    """The texts of the split that the task is scored on, without those that a classifier is trained on.

    None where the split is no table of texts, as in retrieval: then all texts that an evaluation asks for are judged.
    """
    found = _of_split(fresh_task(spec), spec, spec.scored_on)
    return None if found is None else tuple(found)


def _of_split(task: Any, spec: TaskSpec, split: str, most: int | None = None) -> dict[str, None] | None:
    """The texts of a split, of at most so many rows of each subset; None where it has no table of texts."""
    found: dict[str, None] | None = None
    for subset in spec.subsets:
        data = split_data(task, subset)
        table = data.get(split)
        columns = [column for column in text_columns(task) if column in getattr(table, "column_names", ())]
        if table is not None and columns:
            step = -(-len(table) // most) or 1 if most else 1
            table = table.select_columns(columns).select(range(0, len(table), step))
            found = (found or {}) | dict.fromkeys(text for row in table for text in _texts(list(row.values())))
    return found


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value: some tasks have lists of texts in one row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
