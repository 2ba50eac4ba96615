"""Divides the items of a task's split into two halves: one to select arms on, one to report on.

What belongs together stays on one side: pairs that share a text, rows with the same text, the sets of a clustering
task, queries that share a relevant document. Where too much hangs together for two sides of similar size (one text
that is paired with all others), the next rule of the task's type is taken, which keeps less together. The sides are
drawn at random, always in the same way, and have equally many items of each class.

A retrieval task's documents are on both sides, since they are what every query is searched in; a reranking task's
candidates go with their queries.
"""

import random
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from tl_search.scoring.rows import text_columns

_LEAST = 1 / 3  # of the items that the smaller side must have
_SEED = 16

Rule = Sequence[Sequence[Hashable]]  # for each item: what it must not be parted from


def half(task: Any, data: Any, number: int) -> Any:
    """One half (0 or 1) of the data of a split.

    Raises:
        ValueError: there are too few items.
    """
    name = task.metadata.name
    if isinstance(data, Mapping) and "corpus" in data:
        return _queries(name, data, number)
    data, columns = table_of(task, data)
    if is_of_sets(task, data, columns):
        return _sets(task, data, columns[0], number)
    texts, labels = row_texts(data, columns), row_labels(task, data)
    rules: list[Rule] = [[[text for cell in row for text in cell] for row in texts], [row[:1] for row in texts]]
    sides = divided(name, rules, labels)
    return data.select([row for row, side in enumerate(sides) if side == number])


def table_of(task: Any, data: Any) -> tuple[Any, list[str]]:
    """The split's data with an item in each row, and the columns that hold its texts."""
    columns = [column for column in text_columns(task) if column in data.column_names]
    data = _one_row_each(data) if task.metadata.type == "PairClassification" else data
    if not columns:
        columns = [column for column in data.column_names if _is_text(data[0][column])] if len(data) else []
    return data, columns


def is_of_sets(task: Any, data: Any, columns: Sequence[str]) -> bool:
    """Whether each row is a set of texts that are clustered together, as older clustering tasks have them."""
    return task.metadata.type == "Clustering" and bool(len(data)) and isinstance(data[0][columns[0]], list)


def row_texts(data: Any, columns: Sequence[str]) -> list[list[tuple[str, ...]]]:
    """By row and column: the texts, of which some tasks have several in one place."""
    return [[tuple(_flat(row[column])) for column in columns] for row in data.select_columns(columns)]


def row_labels(task: Any, data: Any) -> list[str]:
    """The class of every row; all the same for a task without classes."""
    column = getattr(task, "label_column_name", None)
    return [repr(label) for label in data[column]] if column in data.column_names else [""] * len(data)


def divided(name: str, rules: Sequence[Rule], labels: Sequence[str]) -> list[int]:
    """The side (0 or 1) of every item, by the first rule under which the smaller side has a third of the items.

    Args:
        rules: From the one that keeps most together to the one that keeps least.
        labels: The class of every item; each side gets equally many of each, as far as that can be.

    Raises:
        ValueError: there are too few items.
    """
    if len(labels) < 2:
        raise ValueError(f"split: {name} has {len(labels)} items, which cannot be halved; name its splits for it")
    for rule in rules:
        sides = _sides(rule, labels)
        if min(Counter(sides)[side] for side in (0, 1)) >= _LEAST * len(sides):
            return sides
    return _sides([[item] for item in range(len(labels))], labels)


def _sides(rule: Rule, labels: Sequence[str], sizes: Sequence[int] = ()) -> list[int]:
    """Groups at random, the largest first, each to the side that has less of its class, then less in all."""
    groups, sizes = _groups(rule), sizes or [1] * len(labels)
    random.Random(_SEED).shuffle(groups)
    sides, of_class, total = [0] * len(labels), (Counter[str](), Counter[str]()), [0, 0]
    for group in sorted(groups, key=lambda group: sum(sizes[item] for item in group), reverse=True):
        label = labels[group[0]]
        side = min((0, 1), key=lambda side: (of_class[side][label], total[side]))
        for item in group:
            sides[item] = side
            of_class[side][labels[item]] += sizes[item]
            total[side] += sizes[item]
    return sides


def _groups(rule: Rule) -> list[list[int]]:
    """Items that are connected by what they share, in the order of their first items."""
    parent = list(range(len(rule)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    owner: dict[Hashable, int] = {}
    for item, keys in enumerate(rule):
        for key in keys:
            parent[root(item)] = root(owner.setdefault(key, item))
    groups: dict[int, list[int]] = {}
    for item in range(len(rule)):
        groups.setdefault(root(item), []).append(item)
    return list(groups.values())


def _queries(name: str, data: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Half of the queries, with their judgements and candidates."""
    answered, texts = answers(data), list(data["queries"]["text"])
    documents = [[f"d{document}" for document in found] for found in answered.values()]
    same = [[f"q{texts[row]}"] for row in answered]
    rules: list[Rule] = [[[*one, *other] for one, other in zip(documents, same, strict=True)], same]
    sides = divided(name, rules, [""] * len(answered))
    return of_queries(data, [row for row, side in zip(answered, sides, strict=True) if side == number])


def answers(data: Mapping[str, Any]) -> dict[int, list[str]]:
    """The row of every query that has relevant documents → their ids."""
    relevant = data["relevant_docs"]
    found = {
        row: [document for document, grade in relevant.get(query, {}).items() if grade > 0]
        for row, query in enumerate(data["queries"]["id"])
    }
    return {row: documents for row, documents in found.items() if documents}


def of_queries(data: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """The data of some rows of the queries, with their judgements and candidates; without candidates, all documents."""
    queries, relevant, top = data["queries"], data["relevant_docs"], data.get("top_ranked")
    ids = list(queries["id"])
    mine = {ids[row] for row in kept}
    found = {
        **data,
        "queries": queries.select(kept),
        "relevant_docs": {query: judged for query, judged in relevant.items() if query in mine},
    }
    if top:
        found["top_ranked"] = {query: candidates for query, candidates in top.items() if query in mine}
        needed = {document for candidates in found["top_ranked"].values() for document in candidates}
        places = [row for row, document in enumerate(data["corpus"]["id"]) if document in needed]
        found["corpus"] = data["corpus"].select(places)
    return found


def _sets(task: Any, data: Any, column: str, number: int) -> Any:
    """Half of a clustering task's sets of texts, or, where sets share texts or there is only one, half of each set."""
    from datasets import Dataset

    name, sets = task.metadata.name, [list(texts) for texts in data[column]]
    if len(sets) > 1:
        sides = _sides(sets, [""] * len(sets), [len(texts) for texts in sets])
        items = [sum(len(texts) for texts, side in zip(sets, sides, strict=True) if side == one) for one in (0, 1)]
        if min(items) >= _LEAST * sum(items):
            return data.select([row for row, side in enumerate(sides) if side == number])
    labels = [[repr(label) for label in row] for row in data[task.label_column_name]]
    distinct: dict[str, str] = {}
    for texts, named in zip(sets, labels, strict=True):
        for text, label in zip(texts, named, strict=True):
            distinct.setdefault(text, label)
    side_of = dict(zip(distinct, divided(name, [[[text] for text in distinct]], list(distinct.values())), strict=True))
    kept = [[place for place, text in enumerate(texts) if side_of[text] == number] for texts in sets]
    return Dataset.from_dict(
        {
            named: [[row[place] for place in places] for row, places in zip(data[named], kept, strict=True)]
            for named in (column, task.label_column_name)
        }
    )


def _one_row_each(data: Any) -> Any:
    """Older tasks have all their pairs in one row, as lists."""
    from datasets import Dataset

    if len(data) != 1 or not any(isinstance(value, list) for value in data[0].values()):
        return data
    return Dataset.from_dict({column: value for column, value in data[0].items() if isinstance(value, list)})


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and any(_is_text(part) for part in value))


def _flat(value: Any) -> Iterable[str]:
    """The texts in a value: some tasks have lists of texts in one row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _flat(part)
