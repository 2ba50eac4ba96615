"""Shares of a split's items: nested, always the same, scored as mteb scores these items, never taken for a whole."""

import json
from collections import Counter
from dataclasses import replace

import mteb
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given
from hypothesis import strategies as st
from scoring.test_scoring_halves import Plain

from tl_search.plane.pull import TaskSpec
from tl_search.plane.share import number_of, share_text
from tl_search.scoring.evaluation import describe, fresh_task, score_cell, split_data
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.parts import shares
from tl_search.scoring.suites import Suite
from tl_search.scoring.texts import task_texts, texts_here
from tl_search.scoring.training_texts import training_texts
from tl_search.scoring.uncertainty.resample import confirm_cell, estimate_cell
from tl_search.store.keys import digest

KINDS = ("TinyClassification", "TinySTS", "TinyPairs", "TinyClustering", "TinyClusteredSets", "TinyRetrieval",
         "TinyReranking", "TinySummaries")  # fmt: skip
SHARES = ("1/10", "1/3")


def spec(name, items="1", split="selection", **more):
    return describe(name, split, items=items, **more)


def data(task, subset="default"):
    return split_data(fresh_task(task), subset)[task.scored_on]


def names(task, subset="default"):
    """What each item of a task's data is."""
    found = data(task, subset)
    if isinstance(found, dict):
        return list(found["queries"]["id"])
    rows = [json.dumps(row, sort_keys=True) for row in found]
    if task.name == "TinyClusteredSets":
        return [text for row in found for text in row["sentences"]]
    return rows


@pytest.mark.parametrize("name", [*KINDS, "TinyFirstHit", "TinyF1Classification", "TinyBinaryClassification"])
@pytest.mark.parametrize("split", ["selection", "selection-half-1"])
@pytest.mark.slow_but_every(2)
def test_the_items_of_a_tenth_are_among_those_of_a_third_and_these_among_all(tiny, name, split):
    tenth, third, whole = (Counter(names(spec(name, items, split))) for items in (*SHARES, "1"))
    assert tenth <= third <= whole
    total = 100 if name == "TinyClustering" and split == "selection" else whole.total()  # mteb embeds at most 100
    assert abs(third.total() - total / 3) <= 3
    assert abs(tenth.total() - total / 10) <= 4  # of sets, two texts each at least
    texts = [set(task_texts(name, split, items=items)) for items in (*SHARES, "1")]
    assert texts[0] < texts[1] < texts[2]


@given(
    st.lists(st.tuples(st.text(max_size=3), st.sampled_from("abcdefgh")), min_size=1, max_size=60),
    st.fractions(0, 1).filter(bool),
    st.fractions(0, 1).filter(bool),
)
def test_shares_are_beginnings_of_one_order_whatever_their_size(rows, one, other):
    chances, labels = [shares._chance(text) for text, _ in rows], [label for _, label in rows]
    order = shares.ordered(chances, labels)
    assert sorted(order) == list(range(len(rows)))
    small, large = sorted((one, other))
    if max(one.denominator, other.denominator) < 10_000:
        few, many = (set(shares._beginning(chances, labels, str(share))) for share in (small, large))
        assert few <= many
        assert len(few) == number_of(str(small), len(rows)) >= 1
    other_order = shares.ordered(chances[::-1], labels[::-1])  # rows in another order
    assert [(chances[i], labels[i]) for i in order] == [(chances[::-1][i], labels[::-1][i]) for i in other_order]


def test_every_class_has_about_its_part_and_rare_ones_come_first_where_there_is_room():
    labels = ["common"] * 900 + ["seldom"] * 97 + ["once"] * 3
    order = shares.ordered([shares._chance(n) for n in range(1000)], labels)
    for size in (100, 334):
        found = Counter(labels[item] for item in order[:size])
        assert found["once"] >= 1
        assert found["seldom"] == pytest.approx(0.097 * size, abs=2)
    many = [str(n // 2) for n in range(1000)]  # 500 classes of two: no tenth can have them all
    found = Counter(many[item] for item in shares.ordered([shares._chance(n) for n in range(1000)], many)[:100])
    assert len(found) == pytest.approx(100, abs=10)


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("TinyClassification", "1164ff3b"), ("TinySTS", "2d6a8ce9"), ("TinyClustering", "3dfcb3d8"),
     ("TinyRetrieval", "d38b111e"), ("TinyReranking", "4a75e242"), ("TinyClusteredSets", "59a92ca2")],
)  # fmt: skip
def test_a_share_is_the_same_in_every_process_and_for_ever(tiny, name, drawn):
    assert digest(task_texts(name, "selection", items="1/10"), 8) == drawn


@pytest.mark.parametrize("name", KINDS)
def test_mteb_gives_the_same_score_on_exactly_these_items(tiny, arm, embed, name):
    third = spec(name, "1/3")
    items, task = data(third), tiny[name]()
    task.load_data()
    if isinstance(items, dict):
        task.dataset["default"]["selection"] = dict(items)
    else:
        task.dataset = DatasetDict({**task.dataset, "selection": Dataset.from_dict(items.to_dict())})
    if name == "TinyClassification":
        task.n_experiments = 2
    if name == "TinyClustering":
        task.max_document_to_embed, task.max_documents_per_cluster = None, 100
    task.filter_eval_splits(["selection"])
    vectors = embed(task_texts(name, "selection", items="1/3"))
    theirs = mteb.evaluate(Plain(embed), task, cache=None, co2_tracker=False, show_progress_bar=False)
    ours = score_cell(arm, third, vectors)
    assert ours.value == round(theirs.task_results[0].get_score(), 6)
    assert list(ours.result["scores"]) == ["selection-items-1-of-3"]
    estimated = estimate_cell(arm, third, vectors)
    assert (estimated.value, estimated.standard_error is not None) == (ours.value, True)
    assert confirm_cell(arm, third, vectors, 100, 0)[1].std() > 0


@pytest.mark.parametrize(("whole", "third", "tenth"), [(10, 4, 2), (3, 2, 2), (1, 1, 1), (2, 2, 2), (20, 8, 2)])
def test_a_classifier_is_fitted_less_often_but_twice_at_least_and_more_often_where_that_is_cheap(whole, third, tenth):
    assert [shares.experiments(whole, items) for items in ("1", *SHARES[::-1])] == [whole, third, tenth]
    assert shares.experiments(whole, "1/3", cheap=1000) == whole
    assert shares.experiments(10, "1/10", cheap=7) == 8


def test_a_task_that_learns_from_all_rows_learns_from_a_share_of_them(tiny, monkeypatch, arm, embed):
    from scoring import tiny_tasks

    class Halves(tiny_tasks.TinyClassification):
        """Fits on every second row."""

        metadata = tiny_tasks.metadata("TinyHalves", "Classification", "accuracy")
        n_experiments = 2

        def _undersample_data(self, dataset, experiment_num, idxs=None):
            rows = list(range(experiment_num % 2, len(dataset), 2))
            return dataset.select(rows), rows, rows

    monkeypatch.setitem(tiny, "TinyHalves", Halves)
    whole, third, tenth = (set(task_texts("TinyHalves", "selection", items=items)) for items in ("1", *SHARES[::-1]))
    assert (len(whole), len(third), len(tenth)) == (240, 80, 12 + 32)  # eight rows of each label at least
    assert tenth < third < whole
    found = estimate_cell(arm, spec("TinyHalves", "1/3"), embed(third))
    assert found.standard_error > 0
    assert len(training_texts(spec("TinyHalves", "1/3"))) == 120  # what readouts are fitted on is all of it


def test_the_corpus_shrinks_and_holds_all_judged_documents(tiny):
    for items in SHARES:
        found, whole = data(spec("TinyRetrieval", items)), data(spec("TinyRetrieval"))
        documents = set(found["corpus"]["id"])
        judged = {document for one in found["relevant_docs"].values() for document in one}
        assert judged <= documents
        assert number_of(items, len(whole["corpus"])) <= len(documents) <= 1.5 * number_of(items, len(whole["corpus"]))
    candidates = data(spec("TinyReranking", "1/3"))
    assert set(candidates["corpus"]["id"]) == {one for ids in candidates["top_ranked"].values() for one in ids}


def test_whole_sets_are_drawn_where_there_are_many(tiny):
    task = fresh_task(spec("TinyClusteredSets"))
    whole = split_data(task, "default")
    texts = [[f"{number} {n}" for n in range(20)] for number in range(12)]
    whole["selection"] = Dataset.from_dict({"sentences": texts, "labels": [[n % 4 for n in range(20)]] * 12})
    for items, count in zip(SHARES, (2, 4), strict=True):
        shares.draw(task, [whole], "selection", items)
        drawn = whole[f"selection-items-{items.replace('/', '-of-')}"]["sentences"][:]
        assert len(drawn) == count
        assert all(row in texts for row in drawn)


def test_each_language_of_a_clustering_task_has_a_share_of_what_mteb_embeds_of_it(tiny, monkeypatch):
    from scoring import tiny_tasks

    class Languages(tiny_tasks.TinyClustering):
        metadata = tiny_tasks.metadata(
            "TinyThemes", "Clustering", "v_measure", eval_langs={"en": ["eng-Latn"], "de": ["deu-Latn"]}
        )

        def load_data(self, num_proc=None, **_):
            self.dataset = {
                subset: DatasetDict({split: Dataset.from_dict(self.rows(subset + split)) for split in self.splits})
                for subset in self.hf_subsets
            }
            self.data_loaded = True

    monkeypatch.setitem(tiny, "TinyThemes", Languages)
    whole, third = (set(task_texts("TinyThemes", "selection", "en,de", items=items)) for items in ("1", "1/3"))
    assert len(whole) == 200
    assert len(third) == 68
    assert third < whole


def test_identity_and_records_of_a_whole_are_as_they_were_and_a_share_is_another_cell(tiny, arm, embed, tmp_path):
    whole, third = spec("TinySTS"), spec("TinySTS", 0.1)
    assert "items" not in whole.identity()
    assert third.identity() == {**whole.identity(), "items": "1/10"}
    assert third != whole
    assert replace(third, items="1") == whole
    ledger = Ledger(tmp_path / "ledger")
    score = ledger.put(score_cell(arm, third, embed(task_texts("TinySTS", "selection", items="1/10"))))
    assert ledger.get(arm, whole) is None
    assert ledger.get(arm, third).value == score.value
    record = json.loads(ledger.path(arm, third).read_text())
    assert record["cell"]["names"]["items"] == "1/10"
    assert list(record["result"]["scores"]) == ["selection-items-1-of-10"]
    with pytest.raises(ValueError, match="cells: must be scored on all items, got TinySTS on 1/10 of selection"):
        ledger.export([score], tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_a_suite_selects_on_a_share_and_confirms_on_all(tiny, tmp_path):
    suite, whole = Suite(names=["TinySTS", "TinyPairs"], items="1/3"), Suite(names=["TinySTS", "TinyPairs"])
    assert {task.items for task in suite.selection()} == {"1/3"}
    assert suite.confirmation() == whole.confirmation()
    assert {task.items for task in suite.confirmation()} == {"1"}
    assert suite.training_texts() == whole.training_texts()
    few, many = (one.texts(one.selection(), tmp_path) for one in (suite, whole))
    assert all(len(few[name]) < 0.5 * len(many[name]) for name in few)
    known, unknown = suite.texts_here(tmp_path)
    assert ([task.items for task, _ in known], unknown) == (["1/3", "1/3"], {})


def test_what_is_learnt_from_is_the_same_whatever_share_is_scored(tiny):
    assert training_texts(spec("TinyClassification", "1/10")) == training_texts(spec("TinyClassification"))


def test_the_texts_of_a_share_that_would_have_to_be_downloaded_are_not_asked_for(tiny, tmp_path, monkeypatch):
    def loading(*_):
        raise AssertionError("data were loaded")

    monkeypatch.setattr("tl_search.scoring.evaluation._loaded", loading)
    assert texts_here("TinySTS", "selection", None, tmp_path, items="1/3") is None


@pytest.mark.parametrize("items", ["0", "2", "1/0", "third", "1e-9", True, None, "-1/3", 1.5, "1/3/4", ""])
def test_what_is_no_share_is_one_line(items):
    with pytest.raises(ValueError, match=r"^items: must be 1, or a share of it such as 1/3 or 1/10, got "):
        Suite(names=["TinySTS"], items=items)
    with pytest.raises(ValueError, match=r"^items: must be"):
        TaskSpec("T", "r", "test", "STS", "x", items=items)


@pytest.mark.parametrize(("given", "text"), [(1, "1"), (1.0, "1"), (0.5, "1/2"), ("2/6", "1/3"), (".1", "1/10")])
def test_a_share_is_written_in_one_way(given, text):
    assert share_text(given) == text
    assert Suite(names=["TinySTS"], items=given).items == text


@pytest.mark.parametrize(
    ("name", "items", "told"),
    [
        ("TinyBitexts", "1/3", "must be 1 for TinyBitexts, since a task of type BitextMining has no shares, got 1/3"),
        ("TinySTS", "1/100", "1/100 of TinySTS (split selection) leaves 2 items, which is too few: a score needs"),
        ("TinyRetrieval", ".01", "1/100 of TinyRetrieval (split selection) leaves 1 item, which is too few: a score"),
        ("TinyPairs", "1/1000", "1/1000 of TinyPairs (split selection) leaves 1 item, which is too few: a score needs"),
        ("TinyClassification", "1/500", "1/500 of TinyClassification (split selection) leaves 1 item, which is too"),
        ("TinyClassification", "1/60", "1/60 of TinyClassification (split selection) leaves 2 items, which is too few:"
         " a score needs three classes"),
        ("TinySummaries", "1/99", "1/99 of TinySummaries (split selection) leaves 1 item, which is too few: a score"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_one_line(tiny, name, items, told):
    with pytest.raises(ValueError) as error:
        Suite(names=[name], items=items).selection()
    assert str(error.value).startswith(f"tasks.items: {told}")
