"""Small mteb tasks in memory, one of each type, whose texts are words of a made-up language of topics."""

import random
from typing import Any

from datasets import Dataset, DatasetDict
from mteb.abstasks import (
    AbsTaskClassification,
    AbsTaskClustering,
    AbsTaskPairClassification,
    AbsTaskRetrieval,
    AbsTaskSTS,
    AbsTaskSummarization,
)
from mteb.abstasks.clustering_legacy import AbsTaskClusteringLegacy
from mteb.abstasks.task_metadata import TaskMetadata

SPLITS = ("selection", "confirmation")
TOPICS = 4


def sentence(number: int, topic: int, seed: str = "") -> str:
    """Eight words, most of them of the topic."""
    rng = random.Random(f"{seed}/{number}/{topic}")
    words = [f"t{topic if rng.random() < 0.55 else rng.randrange(TOPICS)}w{rng.randrange(12)}" for _ in range(8)]
    return " ".join(words)


def metadata(name: str, kind: str, main_score: str, **more: Any) -> TaskMetadata:
    fields: dict[str, Any] = {"eval_splits": list(SPLITS), "eval_langs": ["eng-Latn"], "category": "t2t", **more}
    data = {"path": "tiny", "revision": "r1"}
    return TaskMetadata(name=name, description=name, type=kind, main_score=main_score, dataset=data, **fields)


class Table:
    """Splits from `rows(split)`."""

    splits = SPLITS

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        if not self.data_loaded:
            self.dataset = DatasetDict({split: Dataset.from_dict(self.rows(split)) for split in self.splits})
            self.data_loaded = True


class TinyClassification(Table, AbsTaskClassification):
    metadata = metadata("TinyClassification", "Classification", "accuracy")
    splits = ("train", *SPLITS)
    n_experiments = 3

    def rows(self, split: str) -> dict[str, list[Any]]:
        texts = [sentence(n, n % TOPICS, split) for n in range(120)]
        return {"text": texts, "label": [n % TOPICS for n in range(120)]}


class TinyF1Classification(TinyClassification):
    metadata = metadata("TinyF1Classification", "Classification", "f1")


class TinyBinaryClassification(TinyClassification):
    metadata = metadata("TinyBinaryClassification", "Classification", "ap")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        return {**rows, "label": [label % 2 for label in rows["label"]]}


class TinySTS(Table, AbsTaskSTS):
    metadata = metadata("TinySTS", "STS", "cosine_spearman")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rng = random.Random(split)
        rows: dict[str, list[Any]] = {"sentence1": [], "sentence2": [], "score": []}
        for n in range(150):
            shared = rng.randrange(6)  # five possible overlaps and none: many ties
            first, second = sentence(n, n % TOPICS, split).split(), sentence(n, (n + 1) % TOPICS, f"{split}2").split()
            rows["sentence1"].append(" ".join(first))
            rows["sentence2"].append(" ".join(first[:shared] + second[shared:]))
            rows["score"].append(float(shared))
        return rows


class TinyPairs(Table, AbsTaskPairClassification):
    metadata = metadata("TinyPairs", "PairClassification", "max_ap")
    splits = ("train", *SPLITS)

    def rows(self, split: str) -> dict[str, list[Any]]:
        return {
            "sentence1": [sentence(n, n % TOPICS, split) for n in range(150)],
            "sentence2": [sentence(n, (n + n % 3) % TOPICS, f"{split}2") for n in range(150)],
            "labels": [int(n % 3 == 0) for n in range(150)],
        }


class TinyPairsF1(TinyPairs):
    metadata = metadata("TinyPairsF1", "PairClassification", "max_f1")


class TinyPairsAccuracy(TinyPairs):
    metadata = metadata("TinyPairsAccuracy", "PairClassification", "cosine_accuracy")


class TinyClustering(Table, AbsTaskClustering):
    metadata = metadata("TinyClustering", "Clustering", "v_measure")
    max_fraction_of_documents_to_embed = None
    max_document_to_embed = 100
    max_documents_per_cluster = 300
    n_clusters = 3

    def rows(self, split: str) -> dict[str, list[Any]]:
        return {
            "sentences": [sentence(n, n % TOPICS, split) for n in range(140)],
            "labels": [n % TOPICS for n in range(140)],
        }


class TinyClusteredSets(Table, AbsTaskClusteringLegacy):
    metadata = metadata("TinyClusteredSets", "Clustering", "v_measure")

    def rows(self, split: str) -> dict[str, list[Any]]:
        sets = [range(0, 60), range(60, 140), range(140, 150)]
        labels = [[n % TOPICS for n in members] for members in sets[:2]] + [[0] * 10]  # the last has one label only
        texts = [[sentence(n, n % TOPICS, split) for n in members] for members in sets]
        return {"sentences": texts, "labels": labels}


class TinyRetrieval(AbsTaskRetrieval):
    metadata = metadata("TinyRetrieval", "Retrieval", "ndcg_at_10")
    candidates = False

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        if self.data_loaded:
            return
        self.dataset = {"default": {split: self.rows(split) for split in SPLITS}}
        self.data_loaded = True

    def rows(self, split: str) -> dict[str, Any]:
        documents = [f"d{n}" for n in range(80)]
        queries = {f"q{n}": f"d{n}" for n in range(60)}
        texts = [sentence(n, n % TOPICS, split) for n in range(80)]
        rng = random.Random(split)
        return {
            "corpus": Dataset.from_dict(
                {"id": documents, "title": [f"title{n % 7}" for n in range(80)], "text": texts}
            ),
            "queries": Dataset.from_dict(
                {"id": list(queries), "text": [" ".join(text.split()[2:6]) for text in texts[:60]]}
            ),
            "relevant_docs": {query: {document: 1} for query, document in queries.items()},
            "top_ranked": {
                query: [*rng.sample([other for other in documents if other != document], 9), document]
                for query, document in queries.items()
            }
            if self.candidates
            else None,
        }


class TinyReranking(TinyRetrieval):
    metadata = metadata("TinyReranking", "Reranking", "map_at_1000")
    candidates = True


class TinyFirstHit(TinyRetrieval):
    metadata = metadata("TinyFirstHit", "Retrieval", "mrr_at_10")


class TinyLanguages(Table, AbsTaskSTS):
    metadata = metadata("TinyLanguages", "STS", "cosine_spearman", eval_langs={"en": ["eng-Latn"], "de": ["deu-Latn"]})

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        tables = TinySTS()
        self.dataset = {
            subset: {split: Dataset.from_dict(tables.rows(subset + split)) for split in SPLITS}
            for subset in self.hf_subsets
        }
        self.data_loaded = True


class TinyBlank(TinySTS):
    """One row of each split has a text without a character."""

    metadata = metadata("TinyBlank", "STS", "cosine_spearman")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        return {**rows, "sentence2": ["" if n == 7 else text for n, text in enumerate(rows["sentence2"])]}


class TinyBlankClassification(TinyClassification):
    metadata = metadata("TinyBlankClassification", "Classification", "accuracy")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        return {**rows, "text": ["" if n in (3, 4) else text for n, text in enumerate(rows["text"])]}


class TinyNull(TinySTS):
    metadata = metadata("TinyNull", "STS", "cosine_spearman")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        return {**rows, "sentence1": [None if n == 5 else text for n, text in enumerate(rows["sentence1"])]}


class TinyNumbers(TinyClassification):
    metadata = metadata("TinyNumbers", "Classification", "accuracy")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        return {**rows, "text": list(range(120))} if split == "train" else rows


class TinyUnlabelled(TinyClassification):
    metadata = metadata("TinyUnlabelled", "Classification", "accuracy")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        return {**rows, "label": [None if n == 9 else label for n, label in enumerate(rows["label"])]}


class TinyNullSets(TinyClusteredSets):
    metadata = metadata("TinyNullSets", "Clustering", "v_measure")

    def rows(self, split: str) -> dict[str, list[Any]]:
        rows = super().rows(split)
        rows["sentences"][1][2] = None
        return rows


class TinyNullRetrieval(TinyRetrieval):
    metadata = metadata("TinyNullRetrieval", "Retrieval", "ndcg_at_10")

    def rows(self, split: str) -> dict[str, Any]:
        rows = super().rows(split)
        corpus = rows["corpus"].to_dict()
        return {**rows, "corpus": Dataset.from_dict({**corpus, "text": [None, *corpus["text"][1:]]})}


class TinyBitexts(TinySTS):
    """A type for which no resampling is known."""

    metadata = metadata("TinyBitexts", "BitextMining", "cosine_spearman")


class TinySummaries(Table, AbsTaskSummarization):
    """The fewer words a machine's summary has in common with the text, the worse it is; the first text has no order."""

    metadata = metadata("TinySummaries", "Summarization", "cosine_spearman")
    min_score, max_score = 0, 5

    def rows(self, split: str) -> dict[str, list[Any]]:
        rng = random.Random(split)
        rows: dict[str, list[Any]] = {"text": [], "human_summaries": [], "machine_summaries": [], "relevance": []}
        for n in range(40):
            words = sentence(n, n % TOPICS, split).split()
            other = sentence(n, (n + 1) % TOPICS, f"{split}2").split()
            kept = [rng.randrange(9) for _ in range(6)]
            rows["text"].append(" ".join(words + words[:2]))
            rows["human_summaries"].append([" ".join(words), " ".join(words[1:])])
            rows["machine_summaries"].append(
                [" ".join(words[:one] + other[one:]) + f" {i}" for i, one in enumerate(kept)]
            )
            rows["relevance"].append([3.0] * 6 if n == 0 else [5 * one / 8 for one in kept])
        return rows


TASKS = {
    task.metadata.name: task
    for task in (
        TinyClassification, TinyF1Classification, TinyBinaryClassification, TinySTS, TinyPairs, TinyPairsF1,
        TinyPairsAccuracy, TinyClustering,
        TinyClusteredSets, TinyRetrieval, TinyReranking, TinyFirstHit, TinyLanguages, TinySummaries, TinyBitexts,
        TinyBlank, TinyBlankClassification, TinyNull, TinyNumbers, TinyUnlabelled, TinyNullSets, TinyNullRetrieval,
    )
}  # fmt: skip
