"""Tasks of every type whose data can be drawn again and again from a population without end.

An item has a hidden vector, which its label or its score follows from. An arm sees the hidden vector through noise of
its own: arms share the items, as layers of a model do, and two arms with equally strong noise are equally good.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import (
    AbsTaskClassification,
    AbsTaskClustering,
    AbsTaskPairClassification,
    AbsTaskRetrieval,
    AbsTaskSTS,
    AbsTaskSummarization,
)
from mteb.abstasks.abstask import AbsTask
from mteb.abstasks.clustering_legacy import AbsTaskClusteringLegacy
from mteb.abstasks.task_metadata import TaskMetadata

from tl_search.scoring.tasks.stdlib import _Classification as Embedded

WIDTH = 16
NOISE = {"a": 1.0, "like a": 1.0, "worse": 1.3}  # by arm: the sd of its noise, where that of a hidden vector is 1
SPLIT = "test"
Hidden = dict[str, np.ndarray]  # text → hidden vector (width,)


@dataclass(frozen=True)
class Population:
    """What tasks are drawn from.

    Args:
        tasks: They are evaluated over the same draw of data.
        draw: Gives the data of one draw, and for each arm its vectors by text. The first two arms are equally good.
    """

    tasks: tuple[type[AbsTask], ...]
    draw: Callable[[np.random.Generator], tuple[Any, list[Hidden]]]


def arm_vectors(hidden: Hidden, noise: float, rng: np.random.Generator) -> Hidden:
    """How an arm with this much noise sees the texts."""
    seen = np.stack([*hidden.values()])
    return dict(zip(hidden, (seen + noise * rng.standard_normal(seen.shape)).astype(np.float32), strict=True))


def _texts(rng: np.random.Generator, what: str, vectors: np.ndarray) -> Hidden:
    name = int(rng.integers(1 << 62))
    return {f"{what} {name} {number}": vector for number, vector in enumerate(vectors)}


def _topics(count: int, spread: float) -> np.ndarray:
    return spread * np.random.default_rng(5).standard_normal((count, WIDTH))


class Drawn:
    """A task whose data are what was drawn last: split → columns."""

    data: ClassVar[Mapping[str, Any]] = {}

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        self.dataset = DatasetDict({split: Dataset.from_dict(rows) for split, rows in self.data.items()})
        self.data_loaded = True


def _about(name: str, kind: str, main_score: str) -> TaskMetadata:
    return TaskMetadata(
        name=name,
        description=name,
        type=kind,
        main_score=main_score,
        category="t2t",
        eval_splits=[SPLIT],
        eval_langs=["eng-Latn"],
        dataset={"path": "population", "revision": "1"},
    )


def _labelled(rng: np.random.Generator, sizes: Mapping[str, int], topics: np.ndarray) -> tuple[dict[str, Any], Hidden]:
    rows, hidden = {}, {}
    for split, size in sizes.items():
        labels = rng.permutation(np.arange(size) % len(topics))
        texts = _texts(rng, split, topics[labels] + rng.standard_normal((size, WIDTH)))
        rows[split] = {"text": [*texts], "label": labels.tolist()}
        hidden |= texts
    return rows, hidden


class Accuracy:
    """Only the main score: the others that mteb computes take most of an evaluation's time."""

    def _calculate_scores(self, y_test: Any, y_pred: Any) -> Any:
        return {"accuracy": float(np.mean(np.asarray(y_test) == np.asarray(y_pred)))}


class TenExperiments(Accuracy, Drawn, AbsTaskClassification):
    metadata = _about("TenExperiments", "Classification", "accuracy")


class OneHead(Accuracy, Drawn, AbsTaskClassification):
    metadata = _about("OneHead", "Classification", "accuracy")
    samples_per_label, n_experiments = 10_000, 1
    evaluator_model = Embedded.evaluator_model


class Halves(Accuracy, Drawn, Embedded):
    metadata = _about("Halves", "Classification", "accuracy")
    rows = staticmethod(lambda part, count: {})

    def load_data(self, num_proc: int | None = None, **more: Any) -> None:
        Drawn.load_data(self, num_proc, **more)


class Domain(Accuracy, Drawn, AbsTaskClassification):
    metadata = _about("Domain", "Classification", "accuracy")


class Intent(Accuracy, Drawn, AbsTaskClassification):
    metadata = _about("Intent", "Classification", "accuracy")


class Similarity(Drawn, AbsTaskSTS):
    metadata = _about("Similarity", "STS", "cosine_spearman")


class Summaries(Drawn, AbsTaskSummarization):
    metadata = _about("Summaries", "Summarization", "cosine_spearman")
    min_score, max_score = 0, 5


class Pairs(Drawn, AbsTaskPairClassification):
    metadata = _about("Pairs", "PairClassification", "max_ap")


class CosinePairs(Drawn, AbsTaskPairClassification):
    metadata = _about("CosinePairs", "PairClassification", "cosine_ap")


class Clusters(Drawn, AbsTaskClustering):
    metadata = _about("Clusters", "Clustering", "v_measure")
    max_fraction_of_documents_to_embed = None
    max_documents_per_cluster = 2000


class ClusteredSets(Drawn, AbsTaskClusteringLegacy):
    metadata = _about("ClusteredSets", "Clustering", "v_measure")


class Ranked(Drawn, AbsTaskRetrieval):
    """Its data are those of its one split: columns of documents and queries, judgements, perhaps candidates."""

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        parts = dict(self.data)
        tables = {part: Dataset.from_dict(parts.pop(part)) for part in ("corpus", "queries")}
        self.dataset = {"default": {self.metadata.eval_splits[0]: {**tables, **parts}}}
        self.data_loaded = True


class Search(Ranked):
    metadata = _about("Search", "Retrieval", "ndcg_at_10")


class Candidates(Ranked):
    metadata = _about("Candidates", "Reranking", "map_at_1000")


class FirstOf60(Ranked):
    metadata = _about("FirstOf60", "Retrieval", "precision_at_1")


class FirstOf300(Ranked):
    metadata = _about("FirstOf300", "Retrieval", "precision_at_1")


def _classification(rng: np.random.Generator) -> tuple[Any, Hidden]:
    return _labelled(rng, {"train": 400, SPLIT: 400}, _topics(4, 0.35))


def _binary(rng: np.random.Generator) -> tuple[Any, Hidden]:
    return _labelled(rng, {"train": 400, SPLIT: 500}, _topics(2, 0.25))


def _two_questions(rng: np.random.Generator) -> tuple[Any, Hidden]:
    """The label is domain × intent."""
    domains, intents = _topics(6, 0.5)[:3], _topics(6, 0.5)[3:]
    return _labelled(rng, {"train": 400, SPLIT: 400}, (domains[:, None] + intents[None]).reshape(9, WIDTH))


def _scored_pairs(rng: np.random.Generator, size: int = 200) -> tuple[Any, Hidden]:
    first = rng.standard_normal((size, WIDTH))
    close = rng.uniform(0, 1, (size, 1))
    second = close * first + np.sqrt(1 - close**2) * rng.standard_normal((size, WIDTH))
    one, two = _texts(rng, "first", first), _texts(rng, "second", second)
    score = np.round(5 * close[:, 0] + rng.normal(0, 0.5, size)).clip(0, 5)
    return {SPLIT: {"sentence1": [*one], "sentence2": [*two], "score": score.tolist()}}, one | two


def _summaries(rng: np.random.Generator) -> tuple[Any, Hidden]:
    """Of 80 texts, with 16 summaries by machines of each, as in SummEval."""
    rows: dict[str, list[Any]] = {"text": [], "human_summaries": [], "machine_summaries": [], "relevance": []}
    hidden: Hidden = {}
    for number in range(80):
        content = rng.standard_normal((1, WIDTH))
        close = rng.uniform(0.2, 0.9, (16, 1))
        machines = close * content + np.sqrt(1 - close**2) * rng.standard_normal((16, WIDTH))
        people = _texts(rng, "person", content + 0.3 * rng.standard_normal((3, WIDTH)))
        made = _texts(rng, "machine", machines)
        rows["text"].append(f"text {number} {rng.integers(1 << 62)}")
        rows["human_summaries"].append([*people])
        rows["machine_summaries"].append([*made])
        rows["relevance"].append((5 * close[:, 0] + rng.normal(0, 0.5, 16)).clip(0, 5).tolist())
        hidden |= people | made
    return {SPLIT: rows}, hidden


def _labelled_pairs(rng: np.random.Generator) -> tuple[Any, Hidden]:
    rows, hidden = _scored_pairs(rng, 300)
    labels = [int(score >= 4) for score in rows[SPLIT].pop("score")]
    return {SPLIT: {**rows[SPLIT], "labels": labels}}, hidden


def _clusters(rng: np.random.Generator) -> tuple[Any, Hidden]:
    rows, hidden = _labelled(rng, {SPLIT: 400}, _topics(6, 0.8))
    return {SPLIT: {"sentences": rows[SPLIT]["text"], "labels": rows[SPLIT]["label"]}}, hidden


def _clustered_sets(rng: np.random.Generator) -> tuple[Any, Hidden]:
    sets = [_clusters(rng) for _ in range(4)]
    rows = {name: [rows[SPLIT][name][:100] for rows, _ in sets] for name in ("sentences", "labels")}
    hidden = {text: vector for _, part in sets for text, vector in part.items()}
    return {SPLIT: rows}, {text: hidden[text] for texts in rows["sentences"] for text in texts}


_DOCUMENTS = _texts(np.random.default_rng(3), "document", np.random.default_rng(4).standard_normal((300, WIDTH)))


def _queries(size: int, candidates: int | None, close: float) -> Callable[[np.random.Generator], tuple[Any, Hidden]]:
    """Queries near one document each; the documents are always the same, as nothing draws them."""

    def draw(rng: np.random.Generator) -> tuple[Any, Hidden]:
        answers = rng.integers(len(_DOCUMENTS), size=size)
        noise = np.sqrt(1 - close**2) * rng.standard_normal((size, WIDTH))
        queries = _texts(rng, "query", close * np.stack([*_DOCUMENTS.values()])[answers] + noise)
        names = [f"q{number}" for number in range(size)]
        top = None
        if candidates:
            others = [rng.choice(len(_DOCUMENTS), candidates, replace=False) for _ in names]
            pairs = zip(names, others, answers, strict=True)
            top = {name: [f"d{n}" for n in dict.fromkeys([answer, *some])] for name, some, answer in pairs}
        rows = {
            "corpus": {"id": [f"d{n}" for n in range(len(_DOCUMENTS))], "text": [*_DOCUMENTS]},
            "queries": {"id": names, "text": [*queries]},
            "relevant_docs": {name: {f"d{answer}": 1} for name, answer in zip(names, answers, strict=True)},
            "top_ranked": top,
        }
        return rows, queries | _DOCUMENTS

    return draw


def _population(draw: Callable[[np.random.Generator], tuple[Any, Hidden]], *tasks: type[AbsTask]) -> Population:
    def seen(rng: np.random.Generator) -> tuple[Any, list[Hidden]]:
        data, hidden = draw(rng)
        return data, [arm_vectors(hidden, noise, rng) for noise in NOISE.values()]

    return Population(tasks, seen)


POPULATIONS: Mapping[str, Population] = {
    "classification, ten experiments": _population(_classification, TenExperiments),
    "classification, embedded": _population(_binary, Halves),
    "classification, two tasks over the same texts": _population(_two_questions, Domain, Intent),
    "STS": _population(_scored_pairs, Similarity),
    "summarization": _population(_summaries, Summaries),
    "pairs, max_ap": _population(_labelled_pairs, Pairs),
    "pairs, cosine_ap": _population(_labelled_pairs, CosinePairs),
    "clustering": _population(_clusters, Clusters),
    "clustering of sets": _population(_clustered_sets, ClusteredSets),
    "retrieval, 120 queries": _population(_queries(120, None, 0.8), Search),
    "reranking, 120 queries": _population(_queries(120, 30, 0.6), Candidates),
    "precision at 1, 300 queries": _population(_queries(300, None, 0.85), FirstOf300),
    "precision at 1, 60 queries": _population(_queries(60, None, 0.85), FirstOf60),
}
