"""Looks at the rows of a task's data before anything is scored: which are no texts, and which are blank."""

import logging
from collections.abc import Iterator, Mapping, MutableMapping
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
    for name in _splits(task, split):
        for where, table, texts in _tables(task, data.get(name)):
            for column in (*texts, *_labels(task)):
                for row, value in _suspects(table, column, column in texts):
                    refused = _NO_TEXT if column in texts else (type(None),)
                    wrong = [part for part in _parts(value) if isinstance(part, refused)]
                    if wrong:
                        got = "null" if wrong[0] is None else shorten(repr(wrong[0]), 60)
                        skip = "; tasks.skip_nulls=true leaves out rows without a value" if wrong[0] is None else ""
                        raise ValueError(
                            f"{task.metadata.name}: split {name}, row {row} (from 0), column {where}{column}: must be "
                            f"a {'text' if column in texts else 'value'}, got {got}; mend the data set, or leave the "
                            f"task out of tasks.names{skip}"
                        )


def check_classes(task: Any, data: Mapping[str, Any], split: str) -> None:
    """Check that a task which tells classes apart has at least two, where it learns and where it is measured.

    Raises:
        ValueError: all labels of a split are the same; the message names task, split, column and label.
    """
    if task.metadata.type not in ("Classification", "PairClassification", "Clustering"):
        return
    column = task.label_column_name
    for name in _splits(task, split):
        table = data.get(name)
        if table is None or column not in _names(table) or not len(table):
            continue
        labels = {repr(part) for value in table[column][:] for part in _parts(value)}
        if len(labels) == 1:
            raise ValueError(
                f"{task.metadata.name}: split {name}, column {column}: must have at least two classes, got only "
                f"{shorten(labels.pop(), 60)}; leave the task out of tasks.names, or name another split"
            )


def leave_out_nulls(task: Any, data: MutableMapping[str, Any], split: str) -> None:
    """Leave out rows in which a text or a label is missing, of the splits that `check_rows` reads, and tell how many.

    In retrieval, a query or a document goes with its judgements; so does a query with no relevant document left.
    """
    for name in _splits(task, split):
        skipped = 0
        for where, table, texts in list(_tables(task, data.get(name))):
            columns = (*texts, *_labels(task))
            suspects = (found for column in columns for found in _suspects(table, column, column in texts))
            null = {row for row, value in suspects if any(part is None for part in _parts(value))}
            if not null:
                continue
            skipped += len(null)
            kept = table.select([row for row in range(len(table)) if row not in null])
            if where:
                part = where.rstrip(".")
                data[name][part] = kept
                _forget(data[name], part, set(kept["id"]))
            else:
                data[name] = kept
        if skipped:
            log.warning("%s: split %s: rows with null that were skipped: %d", task.metadata.name, name, skipped)


def _forget(data: MutableMapping[str, Any], part: str, known: set[str]) -> None:
    """Leave out the judgements and candidates of queries or documents that are not known any more."""
    judged = set(data["relevant_docs"])
    for table in ("relevant_docs", "top_ranked"):
        found = data.get(table) or {}
        if part == "queries":
            found = {query: documents for query, documents in found.items() if query in known}
        else:
            found = {query: _known(documents, known) for query, documents in found.items()}
        if data.get(table):
            data[table] = {query: documents for query, documents in found.items() if documents}
    queries, bare = data["queries"], judged - set(data["relevant_docs"])
    data["queries"] = queries.select([row for row, query in enumerate(queries["id"]) if query not in bare])


def _known(documents: Any, known: set[str]) -> Any:
    if isinstance(documents, Mapping):
        return {document: grade for document, grade in documents.items() if document in known}
    return [document for document in documents if document in known]


def tell_blank(task: Any, data: Mapping[str, Any], split: str) -> None:
    """Say in the log which row has a blank text, and what becomes of it."""
    for name in _splits(task, split):
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


def _splits(task: Any, split: str) -> list[str]:
    """The split, and the one that the task's classifier learns from."""
    return list(dict.fromkeys([split, getattr(task, "train_split", split)]))


def _labels(task: Any) -> list[str | None]:
    return [getattr(task, "label_column_name", None), "score" if task.metadata.type == "STS" else None]


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
