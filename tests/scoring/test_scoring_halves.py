"""Halves of a split: what belongs together stays together, and mteb gives the same score on the same half."""

from collections import Counter

import mteb
import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

from tl_search.scoring.evaluation import describe, fresh_task, score_cell, split_data
from tl_search.scoring.parts.halves import divided
from tl_search.scoring.parts.splits import halves, parted, share_data
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty.resample import confirm_cell
from tl_search.store.keys import text_digest

KINDS = ("TinyClassification", "TinySTS", "TinyPairs", "TinyClustering", "TinyClusteredSets", "TinyRetrieval",
         "TinyReranking", "TinySummaries")  # fmt: skip
FIRST, SECOND = halves("selection")


class Plain(AbsEncoder):
    """The same vectors without the code under test."""

    def __init__(self, embed) -> None:
        self.embed = embed
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "demo/plain", "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )

    def encode(self, inputs, **_):
        texts = [text for batch in inputs for text in batch["text"]]
        vectors = self.embed(texts)
        return np.stack([vectors[text_digest(text)] for text in texts])


def data(name, split):
    task = fresh_task(describe(name, split))
    return split_data(task, "default")[split]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("split", [FIRST, SECOND])
@pytest.mark.slow_but_every(3)
def test_mteb_gives_the_same_score_on_the_same_half(tiny, arm, embed, name, split):
    task, items = tiny[name](), data(name, split)
    task.load_data()
    if isinstance(items, dict):
        task.dataset["default"]["selection"] = dict(items)
    else:
        task.dataset = DatasetDict({**task.dataset, "selection": Dataset.from_dict(items.to_dict())})
    task.filter_eval_splits(["selection"])
    theirs = mteb.evaluate(Plain(embed), task, cache=None, co2_tracker=False, show_progress_bar=False)
    vectors = embed(task_texts(name, split))
    ours = score_cell(arm, describe(name, split), vectors)
    assert ours.value == round(theirs.task_results[0].get_score(), 6)
    assert list(ours.result["scores"]) == [split]
    confirmed, copies = confirm_cell(arm, describe(name, split), vectors, 100, 0)
    assert confirmed.value == ours.value
    assert copies.std() > 0


@pytest.mark.parametrize("name", ["TinyClassification", "TinySTS", "TinyPairs", "TinyClustering"])
def test_every_row_is_on_one_side_and_equal_texts_are_on_the_same(tiny, name):
    whole = list(map(repr, data(name, "selection")))
    first, second = data(name, FIRST), data(name, SECOND)
    assert Counter(whole) == Counter([*map(repr, first), *map(repr, second)])
    sides = [{cell for row in side for cell in row.values() if isinstance(cell, str)} for side in (first, second)]
    assert not sides[0] & sides[1]
    assert abs(len(first) - len(second)) <= 0.1 * len(whole)


def test_each_side_has_as_many_of_each_class(tiny):
    first, second = (Counter(data("TinyClassification", split)["label"]) for split in (FIRST, SECOND))
    assert set(first) == set(second) == {0, 1, 2, 3}
    assert all(abs(first[label] - second[label]) <= 4 for label in first)


def test_queries_go_with_what_they_share_and_the_corpus_is_whole(tiny):
    whole, first, second = (data("TinyRetrieval", split) for split in ("selection", FIRST, SECOND))
    asked = [set(half["queries"]["id"]) for half in (first, second)]
    assert not asked[0] & asked[1]
    assert asked[0] | asked[1] == set(whole["relevant_docs"])
    relevant = [{doc for judged in half["relevant_docs"].values() for doc in judged} for half in (first, second)]
    assert not relevant[0] & relevant[1]
    assert len(first["corpus"]) == len(second["corpus"]) == len(whole["corpus"])


def test_candidates_go_with_their_queries(tiny):
    for split in (FIRST, SECOND):
        half = data("TinyReranking", split)
        assert set(half["top_ranked"]) == set(half["queries"]["id"]) == set(half["relevant_docs"])
        needed = {document for candidates in half["top_ranked"].values() for document in candidates}
        assert set(half["corpus"]["id"]) == needed


def test_sets_of_a_clustering_task_stay_whole_where_they_share_no_text(tiny):
    whole, first, second = (data("TinyClusteredSets", split) for split in ("selection", FIRST, SECOND))
    assert sorted(map(len, [*first["sentences"], *second["sentences"]])) == sorted(map(len, whole["sentences"]))


def test_sets_that_share_texts_are_divided_so_that_a_text_is_on_one_side():
    from tl_search.scoring.parts.halves import half

    class Task:
        metadata = type("Metadata", (), {"name": "Sets", "type": "Clustering"})
        input_column_name, label_column_name = "sentences", "labels"

    texts = [[f"t{n}" for n in range(start, start + 40)] for start in (0, 20, 40)]
    table = Dataset.from_dict({"sentences": texts, "labels": [[int(text[1:]) % 4 for text in row] for row in texts]})
    first, second = (half(Task(), table, number) for number in (0, 1))
    sides = [{text for row in side["sentences"] for text in row} for side in (first, second)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 80
    assert min(map(len, [*first["sentences"], *second["sentences"]])) > 10


def test_what_hangs_together_too_much_is_divided_by_the_next_rule():
    star = [["hub", f"leaf{n}"] for n in range(30)]  # one text that is paired with all others
    by_leaf = [[keys[1]] for keys in star]
    assert Counter(divided("T", [star, by_leaf], [""] * 30)) == {0: 15, 1: 15}
    assert Counter(divided("T", [star], [""] * 30)) == {0: 15, 1: 15}


def test_the_same_halves_are_drawn_every_time_and_a_single_item_has_none():
    rule = [[f"{n % 17}"] for n in range(50)]
    assert divided("T", [rule], [""] * 50) == divided("T", [rule], [""] * 50)
    with pytest.raises(ValueError, match="split: T has 1 items, which cannot be halved"):
        divided("T", [[["a"]]], [""])


def test_a_half_is_part_of_the_cells_identity_and_of_its_name():
    assert halves("test") == ("test-half-1", "test-half-2")
    assert parted("test-half-2") == ("test", 1)
    assert parted("test-half-3") == ("test-half-3", None)
    assert share_data("test", "test-half-1")
    assert share_data("test", "test")
    assert not share_data("test-half-1", "test-half-2")
    assert not share_data("test", "validation")


def test_a_half_of_what_a_classifier_learns_from_is_refused(tiny):
    with pytest.raises(ValueError, match="split: must not be 'train-half-1' of TinyClassification: its classifier"):
        describe("TinyClassification", "train-half-1")
