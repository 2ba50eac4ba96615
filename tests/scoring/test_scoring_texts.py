"""The texts of a task: exactly those that mteb asks for."""

import pytest

from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.texts import task_texts
from tl_search.store.keys import text_digest


@pytest.mark.parametrize(
    "name", ["TinyClassification", "TinySTS", "TinyPairs", "TinyClustering", "TinyClusteredSets", "TinyReranking"]
)
def test_every_text_is_needed_and_no_other(tiny, arm, embed, name):
    texts = task_texts(name, "selection")
    assert len(set(texts)) == len(texts)
    vectors = embed(texts)
    score_cell(arm, describe(name, "selection"), vectors)
    del vectors[text_digest(texts[len(texts) // 2])]
    with pytest.raises(ValueError, match="have none"):
        score_cell(arm, describe(name, "selection"), vectors)


def test_a_document_comes_with_its_title(tiny):
    texts = task_texts("TinyRetrieval", "selection")
    queries, documents = texts[:60], texts[60:]
    assert all(len(query.split()) == 4 for query in queries)
    assert all(document.startswith("title") for document in documents)
    assert len(documents) == 80


def test_only_the_documents_that_are_clustered_are_asked_for(tiny):
    assert len(task_texts("TinyClustering", "selection")) == 100


def test_a_classifiers_own_texts_are_those_of_its_samples(tiny):
    tests = tiny["TinyClassification"]().rows("selection")["text"]
    practice = [text for text in task_texts("TinyClassification", "selection") if text not in tests]
    assert 8 * 4 <= len(practice) < 120


def test_the_list_is_kept_on_disk_and_a_damaged_one_is_made_again(tiny, tmp_path, monkeypatch):
    texts = task_texts("TinySTS", "selection", folder=tmp_path)
    (path,) = tmp_path.glob("*.json")
    whole = path.read_text()

    def no_evaluation(*_):
        raise AssertionError("the kept list was not used")

    with monkeypatch.context() as patch:
        patch.setattr("tl_search.scoring.texts._asked", no_evaluation)
        assert task_texts("TinySTS", "selection", folder=tmp_path) == texts
    for damaged in (whole[:-40], whole.replace("t1w", "t2w", 1)):
        path.write_text(damaged)
        assert task_texts("TinySTS", "selection", folder=tmp_path) == texts
        assert path.read_text() == whole
