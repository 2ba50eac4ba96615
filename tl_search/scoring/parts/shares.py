"""Draws a share of a split's items, on which a task is scored for less: fixed, seeded, and nested.

All items of a split stand in one order, and a share is its beginning: the items of a tenth are among those of a third,
and these among all. An item's place follows from its content, so it does not depend on the process, on the order of
the rows, or on other items, except that the classes of labelled items take turns: a share has of each class about the
part that all items have, and where classes are large enough it begins with one item of each.

An item is a text of the test split (Classification), a pair, a text to cluster, a text with its summaries, or a query.
Where documents are searched, a share has those that were judged for its queries, and the same share of the others;
queries with a common document follow each other, so that few documents serve them. Older clustering tasks are shares of
sets where they have many, else of each set's texts. What must stay together in halves, which keep what is selected
apart from what is reported, may be parted here: a share and the rest are both for selection.

What is learnt from shrinks, too. mteb fits several classifiers, each on a draw of training rows: a share has the first
of these draws, as many as have no more texts than its test texts, or its share of them, and two at least. For how a
score differs between arms, draws matter more than test texts (`experiments/item_noise/`). Where a draw is a part of all
rows, as in the embedded tasks, a share draws from fewer rows. A clustering is of fewer documents.
"""

import copy
import heapq
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from hashlib import sha256
from typing import Any

from tl_search.plane.share import number_of, split_name
from tl_search.scoring.parts.halves import answers, is_of_sets, of_queries, row_labels, row_texts, table_of
from tl_search.scoring.parts.sampled import embedded_rows, pass_clusterings
from tl_search.scoring.quicker.columns import columns_read_at_once

SHARED = ("Classification", "Clustering", "PairClassification", "Reranking", "Retrieval", "STS", "Summarization")

SEED = 16  # of the order of items; with another one these would be other shares under the same names
_SETS = 10  # from which number on whole sets of texts are drawn
_ROOM = 20  # items that a class has on average where one of each class comes first: they fill half of a tenth at most


def draw(task: Any, subsets: Sequence[MutableMapping[str, Any]], split: str, items: str) -> None:
    """Add the share of a split to each subset's data, under the name that `split_name` gives it.

    Args:
        task: mteb's task, which is told to repeat less.
        subsets: The data by split, in the order in which mteb evaluates them.
        items: The share, as `plane.share` writes it.

    Raises:
        ValueError: tasks of this type have no shares, or the share is too small to be scored.
    """
    name, kind = task.metadata.name, task.metadata.type
    if kind not in SHARED:
        raise ValueError(f"items: must be 1 for {name}, since a task of type {kind} has no shares, got {items}")
    named, state = split_name(split, items), copy.deepcopy(getattr(task, "rng_state", None))
    for data in subsets:
        whole = data[split]
        if isinstance(whole, Mapping) and "corpus" in whole:
            data[named] = _queries(whole, items)
        else:
            data[named] = _rows(task, whole, items, state)
        _check(task, whole, data[named], f"{items} of {name} (split {split})")
    if kind == "Classification" and getattr(task, "is_cross_validation", False):
        task.train_split = named  # such a task learns from the texts that it is measured on
    elif kind == "Classification":
        task.n_experiments = min(_learn_less(task, data, len(data[named]), items) for data in subsets)
    elif kind == "Clustering" and hasattr(task, "max_documents_per_cluster"):
        task.max_fraction_of_documents_to_embed = task.max_document_to_embed = None  # they are drawn already
        task.max_documents_per_cluster = number_of(items, task.max_documents_per_cluster)


def ordered(chances: Sequence[str], labels: Sequence[str]) -> list[int]:
    """All items in the order whose beginnings are the shares.

    Args:
        chances: What decides an item's place among those of its class; equal items have equal ones.
        labels: The class of every item.
    """
    sizes, seen = Counter(labels), Counter[str]()
    first = len(sizes) * _ROOM <= len(labels)
    # each class begins its turns elsewhere, else a small share would have none of any class, or one of every class
    begin = {label: int(_chance("class", label)[:12], 16) / 16**12 for label in sizes}
    places: dict[int, tuple[bool, float, str]] = {}
    for item in sorted(range(len(labels)), key=chances.__getitem__):
        label = labels[item]
        place = (seen[label] + begin[label]) / sizes[label]
        places[item] = (not first or seen[label] > 0, place, chances[item])
        seen[label] += 1
    return sorted(places, key=places.__getitem__)


def _chance(*parts: object) -> str:
    return sha256("\0".join(map(str, (SEED, *parts))).encode("utf-8", "surrogatepass")).hexdigest()


def _beginning(chances: Sequence[str], labels: Sequence[str], items: str, least: int = 1) -> list[int]:
    count = min(len(labels), max(least, number_of(items, len(labels))))
    return sorted(ordered(chances, labels)[:count])


def _rows(task: Any, data: Any, items: str, state: Any) -> Any:
    """The share of a table; of clustered texts, a share of those that mteb embeds."""
    data, columns = table_of(task, data)
    if is_of_sets(task, data, columns):
        return _sets(task, data, columns[0], items)
    if task.metadata.type == "Clustering":
        rows = embedded_rows(task, len(data), state)
        data = data if rows is None else data.select(rows)
        pass_clusterings(task, data[task.label_column_name][:], state)
    texts = [_chance(*(text for cell in row for text in cell)) for row in row_texts(data, columns)]
    return data.select(_beginning(texts, row_labels(task, data), items))


def _queries(data: Mapping[str, Any], items: str) -> dict[str, Any]:
    """A share of the queries that have relevant documents, with their candidates, or with what they are searched in."""
    answered, texts = answers(data), list(data["queries"]["text"])
    chances = [_chance("query", texts[row]) for row in answered]
    if not data.get("top_ranked"):  # a query follows a relevant document, drawn so that many answers are no advantage
        chosen = [min((_chance(texts[row], one), one) for one in found)[1] for row, found in answered.items()]
        chances = [_chance("document", one) + chance for one, chance in zip(chosen, chances, strict=True)]
    rows = list(answered)
    drawn = of_queries(data, [rows[place] for place in _beginning(chances, [""] * len(rows), items)])
    if not data.get("top_ranked"):
        documents = list(data["corpus"]["id"])
        kept = set(heapq.nsmallest(number_of(items, len(documents)), documents, lambda one: _chance("document", one)))
        kept |= {document for judged in drawn["relevant_docs"].values() for document in judged}
        drawn["corpus"] = data["corpus"].select([row for row, document in enumerate(documents) if document in kept])
    return drawn


def _sets(task: Any, data: Any, column: str, items: str) -> Any:
    """A share of a clustering task's sets of texts, or of the texts of each set, at least two."""
    from datasets import Dataset

    sets, labels = data[column][:], data[task.label_column_name][:]
    if len(sets) >= _SETS:
        return data.select(_beginning([_chance(*texts) for texts in sets], [""] * len(sets), items))
    kept = [
        _beginning([_chance(text) for text in texts], [repr(label) for label in named], items, least=2)
        for texts, named in zip(sets, labels, strict=True)
    ]
    return Dataset.from_dict(
        {
            name: [[row[place] for place in places] for row, places in zip(values, kept, strict=True)]
            for name, values in ((column, sets), (task.label_column_name, labels))
        }
    )


def _learn_less(task: Any, data: MutableMapping[str, Any], tests: int, items: str) -> int:
    """How many classifiers are fitted; of the training rows, leave a share where draws are not of a fixed size.

    Args:
        tests: The number of test texts in the share.
    """
    table = data[task.train_split]
    labels = row_labels(task, table)
    of_class = Counter(labels)
    with columns_read_at_once():
        drawn = len(task._undersample_data(table, 0)[2])
    if drawn <= task.samples_per_label * len(of_class):
        return experiments(task.n_experiments, items, tests // drawn)
    texts = [_chance(*(text for cell in row for text in cell)) for row in row_texts(table, table_of(task, table)[1])]
    kept, left = set(_beginning(texts, labels, items)), Counter[str]()
    for row in ordered(texts, labels):
        if left[labels[row]] < task.samples_per_label:
            kept.add(row)
        left[labels[row]] += 1
    data[task.train_split] = table.select(sorted(kept))
    return int(task.n_experiments)


def experiments(whole: int, items: str, cheap: int = 0) -> int:
    """How many of so many classifiers are fitted: two at least, which tell how they differ, and in pairs if all are.

    Args:
        cheap: How many cost little beside the rest.
    """
    fewer = min(whole, max(2, number_of(items, whole), cheap))
    return fewer + fewer % 2 if whole % 2 == 0 else fewer


def _check(task: Any, whole: Any, drawn: Any, what: str) -> None:
    """Raises ValueError where a share is too small for a score that means anything, or that mteb can compute."""
    kind, needed = task.metadata.type, "two of them"
    if isinstance(drawn, Mapping):
        count = len(drawn["queries"])
        enough = count >= 2
    elif kind == "STS":
        count, needed = len(drawn), "three of them, not all with the same score"
        enough = count >= 3 and len(set(drawn["score"])) > 1
    elif kind == "Summarization":
        count = len(drawn)
        enough = count >= 2
    else:
        labels, needed = drawn[task.label_column_name][:], "two classes"
        of_sets = kind == "Clustering" and not hasattr(task, "max_documents_per_cluster")
        parts = labels if of_sets else [labels]
        count, least = sum(map(len, parts)), 2
        if kind == "Classification" and len(set(whole[task.label_column_name][:])) > 2:
            least, needed = 3, "three classes"  # mteb takes two for a question of yes and no, whatever they are
        enough = any(len({repr(label) for label in part}) >= least for part in parts)
    if not enough:
        left = f"{count} item{'s' * (count != 1)}"
        raise ValueError(f"items: {what} leaves {left}, which is too few: a score needs {needed}")
