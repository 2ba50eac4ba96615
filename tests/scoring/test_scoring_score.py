"""What a cell's score is: mteb's number, whatever ran before, and a clear refusal where there is none."""

import json
import random

import mteb
import numpy as np
import pytest
import torch
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.results import TaskResult

from tl_search.plane.extraction import Extraction
from tl_search.scoring.encoder import VectorEncoder
from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.texts import task_texts
from tl_search.store.keys import text_digest

TYPES = [
    "TinyClassification",
    "TinyF1Classification",
    "TinySTS",
    "TinyPairs",
    "TinyClustering",
    "TinyClusteredSets",
    "TinyRetrieval",
    "TinyReranking",
]


class Plain(AbsEncoder):
    """An encoder that owes nothing to the code under test."""

    def __init__(self, vectors):
        self.vectors = vectors
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "plain/plain", "revision": "1", "similarity_fn_name": ScoringFunction.COSINE}
        )

    def encode(self, inputs, **_):
        return np.stack([self.vectors[text_digest(text)] for batch in inputs for text in batch["text"]])


@pytest.mark.parametrize("name", TYPES)
def test_equals_what_mteb_gives_for_a_fresh_task(tiny, arm, embed, name):
    vectors = embed(task_texts(name, "selection"))
    score = score_cell(arm, describe(name, "selection"), vectors)
    task = tiny[name]().filter_eval_splits(["selection"])
    own = mteb.evaluate(Plain(vectors), task, cache=None, co2_tracker=False, show_progress_bar=False)
    assert score.value == pytest.approx(own.task_results[0].get_score(), abs=1e-6)
    assert list(score.result["scores"]) == ["selection"]


@pytest.mark.parametrize("name", ["TinyClustering", "TinyClassification"])
def test_scoring_twice_gives_the_same_number_although_mteb_changes_its_tasks(tiny, arm, embed, name):
    spec = describe(name, "selection")
    vectors = embed(task_texts(name, "selection"))
    scores = [score_cell(arm, spec, vectors).value for _ in range(3)]
    assert scores[0] == scores[1] == scores[2]


def test_leaves_the_processs_random_generators_alone(tiny, arm, embed):
    spec, vectors = describe("TinyPairs", "selection"), embed(task_texts("TinyPairs", "selection"))
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = random.random(), np.random.random(), torch.rand(1).item()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    score_cell(arm, spec, vectors)
    assert (random.random(), np.random.random(), torch.rand(1).item()) == expected


def test_arms_with_different_vectors_get_different_scores(tiny, arms, embed):
    spec, texts = describe("TinySTS", "selection"), task_texts("TinySTS", "selection")
    first = score_cell(arms(layer=1), spec, embed(texts, seed=1))
    second = score_cell(arms(layer=2), spec, embed(texts, seed=2))
    assert first.value != second.value


def test_the_splits_are_different_data(tiny, arm, embed):
    texts = {split: task_texts("TinyPairs", split) for split in ("selection", "confirmation")}
    assert not set(texts["selection"]) & set(texts["confirmation"])
    with pytest.raises(ValueError, match="have none"):
        score_cell(arm, describe("TinyPairs", "confirmation"), embed(texts["selection"]))


def test_the_record_is_json_that_mteb_reads_back(tiny, arm, embed, tmp_path):
    score = score_cell(arm, describe("TinyRetrieval", "selection"), embed(task_texts("TinyRetrieval", "selection")))
    path = tmp_path / "result.json"
    path.write_text(json.dumps(score.result, allow_nan=False))
    read = TaskResult.from_disk(path)
    assert (read.task_name, read.dataset_revision, read.mteb_version) == ("TinyRetrieval", "r1", mteb.__version__)
    assert read.get_score() == pytest.approx(score.value, abs=1e-6)


def test_a_text_without_a_vector_is_named(tiny, arm, embed):
    texts = task_texts("TinySTS", "selection")
    vectors = embed(texts[1:])
    with pytest.raises(ValueError) as error:
        score_cell(arm, describe("TinySTS", "selection"), vectors)
    assert texts[0] in str(error.value)


@pytest.mark.parametrize("name", TYPES)
def test_vectors_that_are_all_the_same_are_refused(tiny, arm, embed, name):
    vectors = dict.fromkeys(embed(task_texts(name, "selection")), np.ones(8))
    with pytest.raises(ValueError, match="are equal, so they tell no texts apart"):
        score_cell(arm, describe(name, "selection"), vectors)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused_with_their_text(tiny, arm, embed, value):
    texts = task_texts("TinyClustering", "selection")
    vectors = embed(texts)
    vectors[text_digest(texts[3])] = np.full(24, value)
    with pytest.raises(ValueError, match=f"1 of 100 of step10/layer 3 hold NaN or infinity.*{texts[3][:20]}"):
        score_cell(arm, describe("TinyClustering", "selection"), vectors)


def test_a_spec_of_another_evaluator_is_refused(tiny, arm, embed):
    from dataclasses import replace

    spec = describe("TinySTS", "selection")
    with pytest.raises(ValueError, match=r"mteb: must be 1\.0\.0"):
        score_cell(arm, replace(spec, mteb="1.0.0"), {})
    with pytest.raises(ValueError, match="must have revision r0, got r1"):
        score_cell(arm, replace(spec, revision="r0"), {})


def test_the_evaluator_sees_an_arm_under_its_own_name(arms):
    first, second = (VectorEncoder(arms(layer=layer), {}).mteb_model_meta for layer in (1, 2))
    assert (first.name, first.revision) == ("demo/tiny", "step10")
    assert first.experiment_kwargs["layer"] == 1
    assert first.experiment_kwargs != second.experiment_kwargs
    assert first.similarity_fn_name is ScoringFunction.COSINE


def test_an_arm_whose_precision_is_not_settled_has_no_name(arm):
    from dataclasses import replace

    with pytest.raises(ValueError, match="dtype: auto must be settled"):
        VectorEncoder(replace(arm, extraction=Extraction()), {})


def test_describe_says_what_a_score_is_of(tiny):
    spec = describe("TinyReranking", "confirmation")
    assert (spec.name, spec.split, spec.type, spec.main_score) == (
        "TinyReranking", "confirmation", "Reranking", "map_at_1000",
    )  # fmt: skip
    assert (spec.revision, spec.subset, spec.seed, spec.mteb) == ("r1", "default", 42, mteb.__version__)


def test_a_misspelt_task_or_split_is_answered_with_the_nearest(tiny):
    with pytest.raises(ValueError, match="StdlibVerbClassification"):
        describe("StdlibVerbClasification", "selection")
    with pytest.raises(ValueError, match="did you mean confirmation"):
        describe("TinySTS", "confirmtion")


def test_a_classifier_is_not_scored_on_what_it_learned_from(tiny):
    with pytest.raises(ValueError, match="its classifier is trained on that split"):
        describe("TinyClassification", "train")


def test_a_task_of_several_subsets_wants_one_of_them(tiny, arm, embed):
    with pytest.raises(ValueError, match=r"TinyLanguages has 2 \(.*so one must be named"):
        describe("TinyLanguages", "selection")
    with pytest.raises(ValueError, match="did you mean de"):
        describe("TinyLanguages", "selection", "dee")
    texts = {subset: task_texts("TinyLanguages", "selection", subset) for subset in ("en", "de")}
    assert set(texts["en"]).isdisjoint(texts["de"])
    score = score_cell(arm, describe("TinyLanguages", "selection", "de"), embed(texts["de"]))
    assert [row["hf_subset"] for row in score.result["scores"]["selection"]] == ["de"]
