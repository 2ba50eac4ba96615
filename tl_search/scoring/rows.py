"""Looks at the rows of a task's data before anything is scored: which are no texts, and which are blank."""

import logging
from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

log = logging.getLogger(__name__)

# The attributes in which mteb's types of task name their columns of text.
_COLUMNS = ("input_column_name", "input1_column_name", "input2_column_name")
_NO_TEXT = (type(None), bool, int, float, bytes)  # other values are pictures or conversations, which mteb knows


def text_columns(task: Any) -> list[str]:
    """The names of the columns of text that a task of mteb has; its data may lack some of them."""
    named = [getattr(task, attribute, None) for attribute in _COLUMNS]
    return [name for name in (*named, *getattr(task, "column_names", ())) if isinstance(name, str)]


def check_rows(task: Any, data: Mapping[str, Any], split: str) -> None:
    """Check the rows that an evaluation on a split reads; a classifier reads those of its training split, too.

    Raises:
        ValueError: a text or a label is missing, or a text is a number; the message names task, split, row and column.
    """
    for name in dict.fromkeys([split, getattr(task, "train_split", split)]):
        for where, table, texts in _tables(task, data.get(name)):
            labels = [getattr(task, "label_column_name", None), "score" if task.metadata.type == "STS" else None]
            for column in (*texts, *labels):
                for row, value in _suspects(table, column, column in texts):
                    refused = _NO_TEXT if column in texts else (type(None),)
                    wrong = [part for part in _parts(value) if isinstance(part, refused)]
                    if wrong:
                        got = "null" if wrong[0] is None else shorten(repr(wrong[0]), 60)
                        raise ValueError(
                            f"{task.metadata.name}: split {name}, row {row} (from 0), column {where}{column}: must be "
                            f"a {'text' if column in texts else 'value'}, got {got}; mend the data set, or leave the "
                            "task out of tasks.names"
                        )


def tell_blank(task: Any, data: Mapping[str, Any], split: str) -> None:
    """Say in the log which row has a blank text, and what becomes of it."""
    for name in dict.fromkeys([split, getattr(task, "train_split", split)]):
        for where, table, texts in _tables(task, data.get(name)):
            for column in texts:
                if column == "title" or "title" in texts:  # a document's text is both, and the title is often blank
                    values: Any = map(" ".join, zip(*(table[part] for part in texts), strict=True))
                else:
                    values = table[column]
                blank = [row for row, value in enumerate(values) if isinstance(value, str) and not value.strip()]
                if blank:
                    log.warning(
                        "%s: split %s, row %d (from 0), column %s%s: is blank (%d such rows); its vector is zero "
                        "where the tokenizer adds no token of its own (extraction.begin=always adds one)",
                        *(task.metadata.name, name, blank[0], where, column, len(blank)),
                    )
                    break


def _tables(task: Any, data: Any) -> Iterator[tuple[str, Any, list[str]]]:
    """(Where it is, the table, its columns of text) of a split; retrieval tasks have two tables."""
    if isinstance(data, Mapping) and "corpus" in data:
        for part in ("queries", "corpus"):
            yield f"{part}.", data[part], [column for column in ("title", "text") if column in _names(data[part])]
    elif data is not None:
        yield "", data, [column for column in text_columns(task) if column in _names(data)]


def _names(table: Any) -> list[str]:
    return list(getattr(table, "column_names", None) or ())


def _suspects(table: Any, column: str | None, texts: bool) -> Iterator[tuple[int, Any]]:
    """The rows of a column, with their numbers; none where the table's own record says that all are well."""
    if column not in _names(table):
        return
    typed = getattr(table.features[column], "dtype", None) in ("string", "large_string") if texts else True
    if table.data.column(column).null_count or not typed:
        yield from enumerate(table[column])


def _parts(value: Any) -> Iterator[Any]:
    """The value, or what is in it: some tasks have lists of texts in one row."""
    if isinstance(value, list):
        for part in value:
            yield from _parts(part)
    else:
        yield value
