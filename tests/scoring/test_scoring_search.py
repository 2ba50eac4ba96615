"""A selected cell of retrieval or reranking has mteb's score, although fewer documents are looked at."""

import json

import numpy as np
import pytest
from datasets import Dataset
from mteb.abstasks import AbsTaskRetrieval
from mteb.results import TaskResult
from scoring.tiny_tasks import TASKS, TinyReranking, TinyRetrieval, metadata

from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.quicker import search
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty.resample import estimate_cell
from tl_search.store.keys import text_digest


class Itself(TinyRetrieval):
    """Queries are documents, which mteb then leaves out of what is found."""

    metadata = metadata("Itself", "Retrieval", "ndcg_at_10")
    ignore_identical_ids = True

    def rows(self, split):
        found = super().rows(split)
        corpus = found["corpus"]
        found["queries"] = Dataset.from_dict({"id": corpus["id"][:60], "text": corpus["text"][:60]})
        found["relevant_docs"] = {f"d{n}": {f"d{(n + 4) % 80}": 1, f"d{n + 1}": 2} for n in range(60)}
        return found


class Short(TinyReranking):
    """One query has no candidates, and another few."""

    metadata = metadata("Short", "Reranking", "map_at_1000")

    def rows(self, split):
        found = super().rows(split)
        found["top_ranked"] = {**found["top_ranked"], "q3": [], "q4": ["d4", "d9"]}
        return found


class Twice(TinyReranking):
    """Candidates that are named again."""

    metadata = metadata("Twice", "Reranking", "ndcg_at_5")

    def rows(self, split):
        found = super().rows(split)
        return {**found, "top_ranked": {query: [*some, *some[:4]] for query, some in found["top_ranked"].items()}}


class Instructed(TinyRetrieval):
    metadata = metadata("Instructed", "Retrieval", "recall_at_5")

    def rows(self, split):
        found = super().rows(split)
        wanted = [f"find t{n % 4}w1" for n in range(60)]
        return {**found, "queries": found["queries"].add_column("instruction", wanted)}


MADE = {task.metadata.name: task for task in (Itself, Short, Twice, Instructed)}
NAMES = ["TinyRetrieval", "TinyReranking", "TinyFirstHit", *MADE]


@pytest.fixture(autouse=True)
def made(tiny, monkeypatch):
    for name, task in MADE.items():
        monkeypatch.setitem(TASKS, name, task)


def few_directions(texts):
    """Vectors of which many are equal, so that many documents are equally near."""
    return {text_digest(text): np.eye(6, dtype=np.float32)[int(text_digest(text)[:8], 16) % 6] for text in texts}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("alike", [False, True], ids=["all differ", "many are alike"])
def test_the_score_is_mtebs(monkeypatch, arm, embed, name, alike):
    monkeypatch.setattr(search, "CHUNK", 33)
    spec, texts = describe(name, "selection"), task_texts(name, "selection")
    vectors = few_directions(texts) if alike else embed(texts)
    quick, whole = estimate_cell(arm, spec, vectors), score_cell(arm, spec, vectors)
    assert quick.value == whole.value
    assert quick.standard_error > 0
    (found,), (wanted,) = (one.result["scores"]["selection"] for one in (quick, whole))
    assert found == {key: wanted[key] for key in found}  # every measure at this depth
    assert spec.main_score in found


def test_it_is_a_result_that_mteb_reads(arm, embed, tmp_path):
    found = estimate_cell(arm, describe("TinyRetrieval", "selection"), embed(task_texts("TinyRetrieval", "selection")))
    (tmp_path / "result.json").write_text(json.dumps(found.result, allow_nan=False))
    assert TaskResult.from_disk(tmp_path / "result.json").get_score() == pytest.approx(found.value, abs=1e-6)


def test_more_documents_than_mteb_keeps_may_be_equally_near(monkeypatch, arm, embed):
    monkeypatch.setattr(search, "MOST", 20)
    texts = task_texts("TinyRetrieval", "selection")
    found = search.VectorSearch(arm, few_directions(texts))
    task = TinyRetrieval()
    task.load_data()
    data = task.dataset["default"]["selection"]
    found.index(data["corpus"], task_metadata=task.metadata)
    results = found.search(data["queries"], task_metadata=task.metadata, top_k=2)
    assert max(map(len, results.values())) <= 20


def test_documents_are_prepared_once_for_all_arms(monkeypatch, arms, embed):
    prepared, prepare = [], search._prepare_dataset
    monkeypatch.setattr(
        search, "_prepare_dataset", lambda *a, **b: prepared.append(b["prompt_type"]) or prepare(*a, **b)
    )
    search._documents.cache_clear()
    vectors = embed(task_texts("TinyRetrieval", "selection"))
    for layer in (1, 2, 3):
        estimate_cell(arms(layer=layer), describe("TinyRetrieval", "selection"), vectors)
    assert prepared.count("document") == 1


def test_vectors_that_cannot_be_used_are_refused_as_elsewhere(arm, embed):
    spec, texts = describe("TinyRetrieval", "selection"), task_texts("TinyRetrieval", "selection")
    with pytest.raises(ValueError, match=r"vectors: 1 of \d+ texts have none"):
        estimate_cell(arm, spec, embed(texts[:-1]))
    with pytest.raises(ValueError, match="tell no texts apart"):
        estimate_cell(arm, spec, dict.fromkeys(embed(texts), np.ones(4)))


def test_tasks_with_measures_of_their_own_or_that_skip_a_document_are_left_to_mteb():
    class Own(TinyRetrieval):
        def task_specific_scores(self, *_, **__):
            return {"own": 1.0}

    class Skips(TinyRetrieval):
        skip_first_result = True

    class Other(TinyRetrieval):
        metadata = metadata("Other", "Retrieval", "accuracy")

    assert search.can_search(TinyRetrieval())
    assert not any(map(search.can_search, (Own(), Skips(), Other())))
    assert isinstance(TinyRetrieval(), AbsTaskRetrieval)
