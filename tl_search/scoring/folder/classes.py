"""Makes mteb's task objects of a person's own folders. It imports mteb, which is slow: import it inside functions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from mteb.abstasks import (
    AbsTaskClassification,
    AbsTaskClustering,
    AbsTaskPairClassification,
    AbsTaskRetrieval,
    AbsTaskSTS,
)
from mteb.abstasks.abstask import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata

from tl_search.scoring.folder.rows import ROWS, find, read_rows

_PAIR = {"sentence1": "text", "sentence2": "text"}
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "Classification": {"text": "text", "label": "class"},
    "Clustering": {"sentences": "text", "labels": "class"},
    "PairClassification": {**_PAIR, "labels": "yes"},
    "STS": {**_PAIR, "score": "number"},
}
_DOCUMENT = {"id": "name", "title": "text", "text": "text"}


class _Folder(AbsTask):
    """A task whose rows are in files of a folder.

    Attributes:
        place: The folder.
        splits: Those that have a file.
    """

    place: Path
    splits: tuple[str, ...]


class _Table(_Folder):
    """One file per split."""

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        """Read the files; mteb's arguments are meant for downloads."""
        if not self.data_loaded:
            columns = _COLUMNS[self.metadata.type]
            rows = {split: read_rows(self.place, split, columns) for split in self.splits}
            if self.metadata.type == "Classification":
                _number_two_words([table["label"] for table in rows.values()])
            self.dataset = DatasetDict({split: Dataset.from_dict(table) for split, table in rows.items()})
            self.data_loaded = True


def _number_two_words(columns: Iterable[list[Any]]) -> None:
    """Make 0 and 1 of two labels that are words, in their order: mteb's average precision takes no words."""
    columns = list(columns)
    words = sorted({label for column in columns for label in column}, key=str)
    if len(words) == 2 and all(isinstance(word, str) for word in words):
        for column in columns:
            column[:] = map(words.index, column)


class _Search(_Folder):
    """A corpus, queries, judgements by split, and perhaps candidates."""

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        """Read the files; mteb's arguments are meant for downloads."""
        if self.data_loaded:
            return
        corpus = read_rows(self.place, "corpus", _DOCUMENT, optional=("title",))
        queries = read_rows(self.place, "queries", {"id": "name", "text": "text"})
        documents = set(corpus["id"])
        candidates = self._candidates(documents)
        data: dict[str, Any] = {}
        for split in self.splits:
            judged = self._judged(split, set(queries["id"]), documents)
            asked = [row for row, query in enumerate(queries["id"]) if query in judged]
            data[split] = {
                "corpus": Dataset.from_dict(corpus),
                "queries": Dataset.from_dict(queries).select(asked),
                "relevant_docs": judged,
                "top_ranked": candidates and {query: candidates[query] for query in judged if query in candidates},
            }
        self.dataset = {"default": data}
        self.data_loaded = True

    def _judged(self, split: str, queries: set[str], documents: set[str]) -> dict[str, dict[str, int]]:
        columns = {"query-id": "name", "corpus-id": "name", "score": "grade"}
        rows, path = read_rows(self.place / "qrels", split, columns), find(self.place / "qrels", split)
        judged: dict[str, dict[str, int]] = {}
        for number, (query, document, grade) in enumerate(zip(*rows.values(), strict=True), 1):
            if query not in queries or document not in documents:
                what, name = ("query-id", query) if query not in queries else ("corpus-id", document)
                raise ValueError(f"{path}, row {number}: {what}: no such id in the task's files, got {name!r}")
            judged.setdefault(query, {})[document] = grade
        return judged

    def _candidates(self, documents: set[str]) -> dict[str, list[str]] | None:
        if not any((self.place / f"top_ranked{suffix}").exists() for suffix in ROWS):
            if self.metadata.type == "Reranking":
                find(self.place, "top_ranked")  # raises, with the names that it may have
            return None
        rows = read_rows(self.place, "top_ranked", {"query-id": "name", "corpus-ids": "names"})
        for number, ids in enumerate(rows["corpus-ids"], 1):
            absent = next((one for one in ids if one not in documents), None)
            if absent is not None:
                path = find(self.place, "top_ranked")
                raise ValueError(f"{path}, row {number}: corpus-ids: no such id in the corpus, got {absent!r}")
        return dict(zip(rows["query-id"], rows["corpus-ids"], strict=True))


_BASES: Mapping[str, type[AbsTask]] = {
    "Classification": AbsTaskClassification,
    "Clustering": AbsTaskClustering,
    "PairClassification": AbsTaskPairClassification,
    "Reranking": AbsTaskRetrieval,
    "Retrieval": AbsTaskRetrieval,
    "STS": AbsTaskSTS,
}


def make(name: str, place: Path, about: Mapping[str, Any], splits: tuple[str, ...], revision: str) -> AbsTask:
    """A task object of mteb whose rows are read from a folder when mteb loads it.

    Args:
        about: What its `task.yaml` says: type, main_score, description, and for STS perhaps min_score and max_score.
        splits: Those that have a file.
        revision: A digest of its rows.
    """
    kind = about["type"]
    learns = kind == "Classification" or (len(splits) > 1 and "train" in splits)
    fields: dict[str, Any] = {
        "name": name,
        "description": str(about["description"]),
        "type": kind,
        "main_score": about["main_score"],
        "category": "t2c" if kind in ("Classification", "Clustering") else "t2t",
        "eval_splits": [split for split in splits if not (learns and split == "train")],
        "eval_langs": ["eng-Latn"],
        "dataset": {"path": place.name, "revision": revision},
        "modalities": ["text"],
    }
    own: dict[str, Any] = {"metadata": TaskMetadata(**fields), "place": place, "splits": splits}
    if kind == "Clustering":
        own["max_fraction_of_documents_to_embed"] = None  # mteb's default keeps 4 % of the texts
    own |= {key: about[key] for key in ("min_score", "max_score") if key in about}
    base = _Search if kind in ("Reranking", "Retrieval") else _Table
    return type(name, (base, _BASES[kind]), own)()
