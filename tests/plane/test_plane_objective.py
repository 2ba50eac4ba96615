"""How task scores become one number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.objective import CategoryMean, Mean, combine
from tl_search.plane.pull import TaskSpec

TYPES = st.lists(st.sampled_from(["STS", "Classification", "Clustering"]), min_size=1, max_size=12)


def specs(types):
    return [TaskSpec(f"T{number}", "r", "test", type_, "main") for number, type_ in enumerate(types)]


@given(st.sampled_from([Mean(), CategoryMean()]), TYPES)
def test_weights_name_every_task_and_add_up_to_one(objective, types):
    weights = objective.weights(specs(types))
    assert set(weights) == {spec.name for spec in specs(types)}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) > 0


@given(st.sampled_from([Mean(), CategoryMean()]), TYPES, st.floats(-100, 100))
def test_equal_scores_combine_to_that_score(objective, types, score):
    tasks = specs(types)
    assert combine(objective.weights(tasks), {task.name: score for task in tasks}) == pytest.approx(score, abs=1e-9)


def test_the_mean_counts_tasks_and_the_category_mean_counts_types():
    tasks = specs(["STS", "STS", "STS", "Clustering"])
    scores = {"T0": 90.0, "T1": 60.0, "T2": 30.0, "T3": 20.0}
    assert combine(Mean().weights(tasks), scores) == pytest.approx(50.0)
    assert combine(CategoryMean().weights(tasks), scores) == pytest.approx(40.0)


def test_a_partial_mean_is_refused_with_the_missing_names():
    with pytest.raises(ValueError, match="scores: missing for T1, T2"):
        combine(Mean().weights(specs(["STS"] * 3)), {"T0": 50.0})


def test_other_scores_do_not_count():
    assert combine({"T0": 1.0}, {"T0": 40.0, "T9": 90.0}) == 40.0
