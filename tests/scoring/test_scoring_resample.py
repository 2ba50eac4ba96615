"""Confirmed cells: the same score, and replicates that are paired between arms and spread as the items do."""

import numpy as np
import pytest

from tl_search.scoring.evaluation import describe, score_cell
from tl_search.scoring.texts import task_texts
from tl_search.scoring.uncertainty.resample import confirm_cell, estimate_cell, standard_error

TYPES = [
    "TinyClassification",
    "TinyF1Classification",
    "TinyBinaryClassification",
    "TinySTS",
    "TinyPairs",
    "TinyPairsF1",
    "TinyPairsAccuracy",
    "TinyClustering",
    "TinyClusteredSets",
    "TinyRetrieval",
    "TinyReranking",
    "TinyFirstHit",
    "TinySummaries",
]


def confirm(arm, embed, name, seed=0, resamples=400, model=0):
    spec, texts = describe(name, "confirmation"), task_texts(name, "confirmation")
    return confirm_cell(arm, spec, embed(texts, model), resamples, seed)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.slow_but_every(3)
def test_the_score_is_the_cells_and_the_replicates_lie_around_it(tiny, arm, embed, name):
    score, replicates = confirm(arm, embed, name)
    plain = score_cell(arm, describe(name, "confirmation"), embed(task_texts(name, "confirmation")))
    assert score.value == plain.value
    assert replicates.shape == (400,)
    assert np.isfinite(replicates).all()
    assert 0 < standard_error(replicates) < 0.15
    assert score.standard_error == round(standard_error(replicates), 6)
    assert abs(np.median(replicates) - score.value) < 0.3 * standard_error(replicates)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.slow_but_every(3)
def test_an_arm_gets_the_same_replicates_again_and_others_for_another_seed(tiny, arm, embed, name):
    _, first = confirm(arm, embed, name, resamples=50)
    _, again = confirm(arm, embed, name, resamples=50)
    _, other = confirm(arm, embed, name, resamples=50, seed=1)
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("name", ["TinyClassification", "TinySTS", "TinyPairs", "TinyRetrieval", "TinyClustering"])
@pytest.mark.slow_but_every(3)
def test_pairing_narrows_the_difference_of_two_like_arms(tiny, arms, embed, name):
    texts = task_texts(name, "confirmation")
    one = embed(texts)
    noise = np.random.default_rng(0)
    two = {key: vector + 0.05 * noise.standard_normal(len(vector)) for key, vector in one.items()}
    spec = describe(name, "confirmation")
    _, first = confirm_cell(arms(layer=1), spec, one, 400, 0)
    _, second = confirm_cell(arms(layer=2), spec, two, 400, 0)
    _, unpaired = confirm_cell(arms(layer=2), spec, two, 400, 1)
    assert (first - second).std() < 0.8 * (first - unpaired).std()


def test_the_spread_is_that_of_a_mean_over_the_items(tiny, arm, embed):
    score, replicates = confirm(arm, embed, "TinyFirstHit", resamples=2000)
    assert 0.05 < score.value < 0.95
    assert 0.1 / np.sqrt(60) < replicates.std() < 0.5 / np.sqrt(60) * 1.1  # 60 numbers between 0 and 1, by queries


def test_a_better_arm_is_better_beyond_its_interval(tiny, arms, embed):
    texts, spec = task_texts("TinyClassification", "confirmation"), describe("TinyClassification", "confirmation")
    knowing = embed(texts)
    noise = np.random.default_rng(1)
    blind = {key: noise.standard_normal(24) for key in knowing}
    _, high = confirm_cell(arms(layer=1), spec, knowing, 400, 0)
    _, low = confirm_cell(arms(layer=2), spec, blind, 400, 0)
    assert np.quantile(high - low, 0.025) > 0


@pytest.mark.parametrize("name", ["TinyClassification", "TinySTS", "TinyClusteredSets", "TinyRetrieval"])
def test_a_selected_cell_has_the_same_score_and_a_standard_error_too(tiny, arm, embed, name):
    vectors = embed(task_texts(name, "confirmation"))
    found = estimate_cell(arm, describe(name, "confirmation"), vectors)
    assert found.value == score_cell(arm, describe(name, "confirmation"), vectors).value
    confirmed, _ = confirm_cell(arm, describe(name, "confirmation"), vectors, 400, 0)
    assert 0 < found.standard_error < 1.3 * confirmed.standard_error


def test_the_rough_standard_error_of_a_selected_clustering_is_about_the_confirmed_one(tiny, arm, embed):
    task = describe("TinyClustering", "confirmation")
    ratios = []
    for seed in range(4):
        vectors = embed(task_texts("TinyClustering", "confirmation"), seed, 4)
        confirmed, _ = confirm_cell(arm, task, vectors, 400, 0)
        ratios.append(estimate_cell(arm, task, vectors).standard_error / confirmed.standard_error)
    assert 0.9 < np.mean(ratios) < 1.5


def test_a_selected_cell_that_cannot_be_resampled_has_its_score(tiny, arm, embed):
    found = estimate_cell(arm, describe("TinyBitexts", "selection"), embed(task_texts("TinyBitexts", "selection")))
    assert (found.standard_error, 0 < found.value < 1) == (None, True)


def test_a_task_of_several_subsets_is_evaluated_once_and_its_replicates_are_the_mean_of_theirs(
    tiny, arm, embed, monkeypatch
):
    from tl_search.scoring.uncertainty import resample

    def copies(subset):
        spec = describe("TinyLanguages", "confirmation", subset)
        return confirm_cell(arm, spec, embed(task_texts("TinyLanguages", "confirmation", subset)), 50, 0)

    parts, evaluated, run = [copies(subset) for subset in ("en", "de")], [], resample.evaluate
    monkeypatch.setattr(
        resample, "evaluate", lambda spec, *rest, **more: evaluated.append(spec.subset) or run(spec, *rest, **more)
    )
    score, found = copies("en,de")
    assert evaluated == ["en,de"]
    assert score.value == pytest.approx(np.mean([part.value for part, _ in parts]), abs=1e-6)
    assert found == pytest.approx(np.mean([copy for _, copy in parts], axis=0))


def test_types_that_cannot_be_resampled_are_refused_by_name(tiny, arm, embed):
    with pytest.raises(ValueError, match="TinyBitexts cannot be confirmed; type: must be one of Classification"):
        confirm(arm, embed, "TinyBitexts")


@pytest.mark.parametrize(
    ("name", "main_score", "known"),
    [
        ("TinyPairs", "max_precision", "max_ap"),
        ("TinyRetrieval", "nauc_ndcg_at_10_max", "ndcg_at_10"),
        ("TinyClassification", "scores_per_experiment", "accuracy"),
    ],
)
def test_main_scores_that_cannot_be_resampled_are_refused(tiny, arm, embed, monkeypatch, name, main_score, known):
    from dataclasses import replace

    spec = replace(describe(name, "confirmation"), main_score=main_score)
    with pytest.raises(ValueError, match=f"tasks.names: {name} cannot be confirmed; main_score: .*{known}"):
        confirm_cell(arm, spec, embed(task_texts(name, "confirmation")), 10, 0)


def test_a_main_score_that_is_computed_otherwise_than_here_is_a_bug_and_said_so(tiny, arm, embed, monkeypatch):
    monkeypatch.setattr(tiny["TinySTS"], "_calculate_scores", lambda *_: {"cosine_spearman": 0.123})
    from tl_search.scoring import evaluation

    evaluation._loaded.cache_clear()
    with pytest.raises(RuntimeError, match=r"TinySTS: cosine_spearman of all items is 0\.\d+, mteb: 0.123"):
        confirm(arm, embed, "TinySTS")


def test_no_replicates_at_all_are_refused(tiny, arm, embed):
    with pytest.raises(ValueError, match="resamples: must be >= 1, got 0"):
        confirm(arm, embed, "TinySTS", resamples=0)
