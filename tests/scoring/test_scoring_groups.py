"""Items that belong together have one weight, and standard errors tell how a score varies with other groups of them."""

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from scoring.tiny_tasks import SPLITS, TASKS, TinyRetrieval, TinySTS, metadata, sentence

from tl_search.scoring.evaluation import describe
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty import replicates
from tl_search.scoring.uncertainty.groups import LEAST, named_together, of_pairs, of_queries
from tl_search.scoring.uncertainty.items import Items
from tl_search.scoring.uncertainty.resample import confirm_cell, replicate, standard_error


def test_items_of_a_group_have_one_name_in_any_order_and_others_keep_theirs():
    names = [f"item {number}" for number in range(10, 34)]
    keys = [*range(10, 32), 13, 13]
    found = dict(zip(names, named_together(names, keys), strict=True))
    assert found["item 13"] == found["item 32"] == found["item 33"] == "item 13"  # the first of them in the alphabet
    assert all(found[name] == name for name in names[:-2])
    there = dict(zip(names[::-1], named_together(names[::-1], keys[::-1]), strict=True))
    assert there == found


def test_few_groups_tell_nothing_about_others():
    names = [f"item {number}" for number in range(40)]
    assert named_together(names, [number % (LEAST - 1) for number in range(40)]) == tuple(names)
    assert len(set(named_together(names, [number % LEAST for number in range(40)]))) == LEAST


def test_one_large_group_tells_as_little_as_few_groups_do():
    names = [f"item {number}" for number in range(200)]
    assert named_together(names, [max(0, number - 179) for number in range(200)]) == tuple(names)


def test_pairs_are_put_together_by_the_column_with_fewer_texts():
    one, other = [f"a{number // 2}" for number in range(40)], [f"b{number}" for number in range(40)]
    names = [f"{a} {b}" for a, b in zip(one, other, strict=True)]
    assert of_pairs(names, [one, other]) == of_pairs(names, [other, one])
    assert len(set(of_pairs(names, [other, one]))) == 20
    assert of_pairs(names, [names]) == tuple(names)  # where a column says what items are


def test_queries_are_put_together_by_the_same_relevant_documents():
    names = [f"q{number}" for number in range(30)]
    judged = [{f"d{number % 15}": 1, "other" if number < 15 else "another": 0} for number in range(30)]
    assert len(set(of_queries(names, judged))) == 15
    assert of_queries(names, [{"other": 0}] * 30) == tuple(names)
    several = [{f"d{number}": 1, f"d{number + 1}": 1} for number in range(30)]
    assert of_queries(names, several) == tuple(names)  # that share some are each a question of its own


def test_intervals_hold_the_truth_where_groups_are_drawn_and_do_not_with_weights_of_items():
    rng, held = np.random.default_rng(0), {"items": [], "groups": []}
    for draw in range(300):
        values = np.repeat(rng.standard_normal(60), 4) + 0.5 * rng.standard_normal(240)
        names = [f"{draw} {number}" for number in range(240)]
        groups = named_together(names, [number // 4 for number in range(240)])
        for how, called in (("items", tuple(names)), ("groups", groups)):
            found = replicate(Items(called, replicates.mean_of(values)), values.mean(), 0, 200)
            low, high = np.quantile(found, [0.025, 0.975])
            held[how].append(low <= 0 <= high)
    assert np.mean(held["items"]) < 0.75
    assert 0.92 <= np.mean(held["groups"]) <= 0.98


class Repeated(TinySTS):
    """Each first text is in four pairs."""

    metadata = metadata("Repeated", "STS", "cosine_spearman")

    def load_data(self, num_proc=None, **_):
        self.dataset = DatasetDict({split: Dataset.from_dict(self.rows(split)) for split in SPLITS})
        self.data_loaded = True

    def rows(self, split):
        found = super().rows(split)
        return {**found, "sentence1": [sentence(n // 4, n // 4 % 4, split) for n in range(len(found["score"]))]}


class Paragraphs(TinyRetrieval):
    """Four queries about each document."""

    metadata = metadata("Paragraphs", "Retrieval", "ndcg_at_10")

    def rows(self, split):
        found = super().rows(split)
        return {**found, "relevant_docs": {f"q{n}": {f"d{n // 4}": 1} for n in range(60)}}


@pytest.mark.parametrize("task", [Repeated, Paragraphs])
def test_tasks_of_groups_have_larger_standard_errors_than_the_same_scores_of_single_items(
    tiny, monkeypatch, arm, embed, task
):
    from tl_search.scoring.uncertainty import groups

    name = task.metadata.name
    monkeypatch.setitem(TASKS, name, task)
    spec, vectors = describe(name, "selection"), embed(task_texts(name, "selection"))
    score, together = confirm_cell(arm, spec, vectors, 500, 0)
    monkeypatch.setattr(groups, "LEAST", 10**6)
    again, single = confirm_cell(arm, spec, vectors, 500, 0)
    assert score.value == again.value
    assert not np.allclose(together, single)
    assert standard_error(together) > 0.8 * standard_error(single)


def test_pairs_whose_rarer_class_is_in_few_groups_are_taken_one_by_one(tiny, monkeypatch, arm, embed):
    class Rare(TASKS["TinyPairs"]):
        """All positive pairs are around two first texts."""

        metadata = metadata("Rare", "PairClassification", "cosine_ap")

        def rows(self, split):
            found = super().rows(split)
            count = len(found["labels"])
            firsts = [sentence(n // 5, n // 5 % 4, split) for n in range(count)]
            return {**found, "sentence1": firsts, "labels": [int(n < 10) for n in range(count)]}

    monkeypatch.setitem(TASKS, "Rare", Rare)
    spec, vectors = describe("Rare", "selection"), embed(task_texts("Rare", "selection"))
    assert confirm_cell(arm, spec, vectors, 200, 0)[0].standard_error > 0.01


def test_pairs_that_an_older_task_has_in_one_row_are_items_as_others_are(tiny, monkeypatch, arm, embed):
    class Rows(TASKS["TinyPairs"]):
        metadata = metadata("Rows", "PairClassification", "cosine_ap")

    class OneRow(TASKS["TinyPairs"]):
        metadata = metadata("OneRow", "PairClassification", "cosine_ap")

        def rows(self, split):
            return {column: [values] for column, values in super().rows(split).items()}

    found = {}
    for name, task in (("Rows", Rows), ("OneRow", OneRow)):
        monkeypatch.setitem(TASKS, name, task)
        vectors = embed(task_texts(name, "selection"))
        found[name] = confirm_cell(arm, describe(name, "selection"), vectors, 100, 0)[1]
    assert (found["OneRow"] == found["Rows"]).all()
