"""Real tasks as populations: all items of a task are the population, and a draw is a task with a few of them.

An item is what `scoring/uncertainty/items.py` takes for one: a text of a classification, for which training rows are
drawn, too; a pair; a text to cluster; a query, while the documents stay. A draw has a tenth of the items at most, or a
fifth where the task is small, since scores of draws vary less, by the share of all items that is drawn, than they
would without end.

Real tasks have what made-up ones have not: classes of unequal size, equal gold scores, sentences that are in several
pairs, documents that are relevant to several queries.
"""

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import concatenate_datasets
from populations import Accuracy, Drawn, Hidden, Population, Ranked

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench import checkpoints_at

from tl_search.plane.extraction import Extraction
from tl_search.probe.config import ProbeConfig, settled
from tl_search.probe.embed import column_vectors
from tl_search.probe.session import ProbeSession
from tl_search.scoring.evaluation import describe
from tl_search.scoring.folder.tasks import folder_task, folder_tasks
from tl_search.scoring.rows import text_columns
from tl_search.scoring.texts import texts_of

NOISE = 1.0  # sd of the noise of the two equally good arms, where that of a layer's vectors is 1
LEAST = 100  # items of a draw
MOST = {"Classification": 400, "Clustering": 400, "PairClassification": 300, "STS": 200}
QUERIES = 120
HEADS = 4  # training rows of a draw, as a multiple of those that one head of a classification is fitted on
Seen = Mapping[str, np.ndarray]  # text → vector (width,)


class Rows:
    """The items of a task that has a table: all of its splits together.

    Args:
        task: A task of a folder.
        together: Whether pairs that have their first text in common are drawn together.
    """

    fixed = frozenset[str]()

    def __init__(self, task: Any, together: bool = False) -> None:
        task.load_data()
        self.split, self.kind = task.metadata.eval_splits[0], task.metadata.type
        only = (Accuracy,) if task.metadata.main_score == "accuracy" else ()
        self.task = type(task.metadata.name, (*only, Drawn, type(task)), {})
        self.table = concatenate_datasets([*task.dataset.values()])
        self.columns = [column for column in text_columns(task) if column in self.table.column_names]
        self.texts = tuple(dict.fromkeys(text for column in self.columns for text in self.table[column][:]))
        firsts = self.table[self.columns[0]][:]
        self.groups = _groups(firsts if together and len(self.columns) > 1 else range(len(self.table)))
        self.size, self.trained = draw_size(len(self.table), MOST[self.kind]), 0
        if self.kind == "Classification":
            head = task.samples_per_label * len(set(self.table[task.label_column_name][:]))
            self.trained = int(np.clip(HEADS * head, len(self.table) // 10, len(self.table) // 5))

    @property
    def label(self) -> str:
        """How many of what are drawn."""
        drawn = f"{self.size} {'pairs' if len(self.columns) > 1 else 'texts'}"
        return f"{drawn}{f' and {self.trained:,} to train on' if self.trained else ''}, of {len(self.table):,}"

    def draw(self, rng: np.random.Generator) -> tuple[Mapping[str, Any], set[str]]:
        """The data of one draw, and its texts."""
        rows = _drawn(self.groups, rng, self.size + self.trained)
        data = {self.split: self.table[rows[: self.size]]}
        if self.trained:
            data[self.task.train_split] = self.table[rows[self.size :]]
        return data, {text for part in data.values() for column in self.columns for text in part[column]}


class Queries:
    """The items of a task that ranks documents: the queries of its first split. The documents are not drawn.

    Args:
        task: A task of a folder.
        texts: Those of queries and documents, as mteb asks an encoder for them.
        together: Whether queries that have a relevant document in common are drawn together.
    """

    def __init__(self, task: Any, texts: Sequence[str], together: bool = False) -> None:
        task.load_data()
        self.task = type(task.metadata.name, (Ranked, type(task)), {})
        self.texts, self.whole = tuple(texts), task.dataset["default"][task.metadata.eval_splits[0]]
        self.names, self.asked = self.whole["queries"]["id"][:], self.whole["queries"]["text"][:]
        documents = {text.strip() for text in self.whole["corpus"]["text"][:]}
        self.fixed = frozenset(texts) - (set(self.asked) - documents)  # a document may be a query, too
        judged = self.whole["relevant_docs"]
        relevant = [min((one for one, grade in judged[name].items() if grade > 0), default="") for name in self.names]
        self.groups = _groups(relevant if together else self.names)
        self.size = draw_size(len(self.names), QUERIES)

    @property
    def label(self) -> str:
        """How many of what are drawn."""
        return f"{self.size} queries of {len(self.names):,}"

    def draw(self, rng: np.random.Generator) -> tuple[Mapping[str, Any], set[str]]:
        """The data of one draw, and its texts."""
        rows = _drawn(self.groups, rng, self.size)
        names = [self.names[row] for row in rows]
        judged, top = self.whole["relevant_docs"], self.whole["top_ranked"]
        data = {
            "corpus": self.whole["corpus"][:],
            "queries": {"id": names, "text": [self.asked[row] for row in rows]},
            "relevant_docs": {name: judged[name] for name in names},
            "top_ranked": top and {name: top[name] for name in names if name in top},
        }
        return data, {self.asked[row] for row in rows}


def pool_of(folder: Path, name: str, together: bool = False) -> Rows | Queries:
    """The items of a task of a folder. Raises TooSmallError."""
    task = folder_task(folder, name)
    if task.metadata.type in MOST:
        return Rows(task, together)
    return Queries(task, texts_of(describe(name, task.metadata.eval_splits[0], folder=folder)), together)


def population(pool: Rows | Queries, lower: Seen, upper: Seen) -> Population:
    """A task's items as two layers see them, and, for arms that are equally good, the upper layer with two noises.

    The noise is drawn anew in each draw, and only for what is drawn: documents are seen without.
    """
    states = np.stack([upper[text] for text in pool.texts])
    spread = NOISE * float(np.sqrt(((states - states.mean(axis=0)) ** 2).mean()))

    def noisy(texts: Iterable[str], rng: np.random.Generator) -> Hidden:
        return {
            text: (upper[text] + spread * rng.standard_normal(states.shape[1])).astype(np.float32) for text in texts
        }

    def draw(rng: np.random.Generator) -> tuple[Any, list[Hidden]]:
        data, texts = pool.draw(rng)
        fixed, texts = {text: upper[text] for text in pool.fixed}, sorted(texts)
        clear = [{text: layer[text] for text in (*texts, *pool.fixed)} for layer in (upper, lower)]
        return data, [fixed | noisy(texts, rng), fixed | noisy(texts, rng), *clear]

    return Population((pool.task,), draw)


def populations(
    folder: Path, model: Path, layers: Sequence[int], names: Sequence[str] = (), together: bool = False
) -> Iterator[tuple[str, Population]]:
    """Each task of a folder as a population, with what it is called. What is too small is named and left out.

    Args:
        model: A training run, or a folder of models, whose last checkpoint is taken.
        layers: The lower and the upper one; negative numbers count from the last.
        names: Parts of names of tasks; all where it is empty.
    """
    embed = _embedder(model, layers)
    for name in folder_tasks(folder):
        if not any(part in name for part in names or [""]):
            continue
        try:
            pool = pool_of(folder, name, together)
        except TooSmallError as error:
            print(f"left out: {name}: {error}", file=sys.stderr, flush=True)
            continue
        yield f"{name}, {pool.label}", population(pool, *embed(pool.texts))


class TooSmallError(ValueError):
    """A task has too few items for a population."""


def draw_size(whole: int, most: int) -> int:
    """How many of so many items a draw has. Raises TooSmallError where that is more than a fifth of them."""
    size = min(most, max(whole // 10, LEAST))
    if size > whole / 5:
        raise TooSmallError(f"has {whole} items, and must have {5 * LEAST}")
    return size


def _groups(keys: Iterable[Hashable]) -> list[list[int]]:
    """The places of equal keys."""
    found: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return [*found.values()]


def _drawn(groups: Sequence[Sequence[int]], rng: np.random.Generator, size: int) -> list[int]:
    order = rng.permutation(len(groups))
    return [item for group in order for item in groups[group]][:size]


def _embedder(model: Path, layers: Sequence[int]) -> Callable[[Sequence[str]], list[Seen]]:
    source = checkpoints_at(model)
    revision, extraction = source.revisions()[-1], settled(Extraction(max_length=128), "cpu")
    place = source.fetch(revision)

    def embed(texts: Sequence[str]) -> list[Seen]:
        with ProbeSession(ProbeConfig("cpu")) as session:
            column = column_vectors(revision, place, texts, extraction, session)
        return [dict(zip(texts, column[range(len(column))[layer]], strict=True)) for layer in layers]

    return embed
