"""Measures of counts: equal to the usual measure of the items repeated that often."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics

from tl_search.scoring.uncertainty import replicates

QUICK = settings(max_examples=60, deadline=None)


@st.composite
def drawn(draw, classes=3):
    """Counts of n items, and for each item two labels and a coarse score, so that there are ties."""
    n = draw(st.integers(4, 24))
    column = lambda low, high: np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))  # noqa: E731
    counts = column(0, 3)
    counts[draw(st.integers(0, n - 1))] += 1
    return counts.astype(float)[None], column(0, classes - 1), column(0, classes - 1), column(0, 5) / 5


def repeated(counts, *columns):
    times = counts[0].astype(int)
    return [np.repeat(column, times) for column in columns]


@QUICK
@given(drawn())
def test_classification_measures(items):
    counts, labels, predicted, _ = items
    true, guessed = repeated(counts, labels, predicted)
    expected = {
        "accuracy": metrics.accuracy_score(true, guessed),
        **{
            name + suffix: getattr(metrics, f"{name}_score")(true, guessed, average=average, zero_division=0)
            for name in ("f1", "precision", "recall")
            for suffix, average in (("", "macro"), ("_weighted", "weighted"))
        },
    }
    for name, value in expected.items():
        assert replicates.classification(name, labels, predicted)(counts)[0] == pytest.approx(value), name


@QUICK
@given(drawn(classes=2))
def test_average_precision_and_the_best_threshold(items):
    counts, labels, predicted, scores = items
    true, ranked, guessed = repeated(counts, labels, scores, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert replicates.pairs("ap", scores, labels == 1)(counts)[0] == pytest.approx(
            metrics.average_precision_score(true, ranked)
        )
        assert replicates.classification("ap", labels, predicted)(counts)[0] == pytest.approx(
            metrics.average_precision_score(true, guessed)
        )
    thresholds = np.unique(ranked)[1:]  # accepting all or nothing is none of them
    accuracies = [metrics.accuracy_score(true, ranked >= threshold) for threshold in thresholds]
    assert replicates.pairs("accuracy", scores, labels == 1)(counts)[0] == pytest.approx(max(accuracies, default=0))
    f1 = [metrics.f1_score(true, ranked >= threshold, zero_division=0) for threshold in thresholds]
    assert replicates.pairs("f1", scores, labels == 1)(counts)[0] == pytest.approx(max(f1, default=0))


@QUICK
@given(drawn(classes=4))
def test_correlations(items):
    counts, gold, _, scores = items
    first, second = repeated(counts, gold.astype(float), scores)
    if len(set(first)) < 2 or len(set(second)) < 2:
        expected = {"spearman": 0.0, "pearson": 0.0}
    else:
        expected = {"spearman": spearmanr(first, second)[0], "pearson": pearsonr(first, second)[0]}
    for name, value in expected.items():
        assert replicates.correlation(name, gold.astype(float), scores)(counts)[0] == pytest.approx(value, abs=1e-9)


@QUICK
@given(drawn())
def test_v_measure(items):
    counts, labels, clusters, _ = items
    expected = metrics.v_measure_score(*repeated(counts, labels, clusters))
    assert replicates.v_measure(labels, clusters)(counts)[0] == pytest.approx(expected, abs=1e-9)


@QUICK
@given(drawn())
def test_a_block_of_resamples_is_measured_row_by_row(items):
    counts, labels, predicted, scores = items
    rows = np.concatenate([counts, np.ones_like(counts), counts[:, ::-1]])
    for measure in (
        replicates.classification("f1", labels, predicted),
        replicates.pairs("ap", scores, labels == 1),
        replicates.correlation("spearman", labels.astype(float), scores),
        replicates.v_measure(labels, predicted),
    ):
        assert measure(rows) == pytest.approx([measure(row[None])[0] for row in rows])


@QUICK
@given(drawn())
def test_items_that_are_there_several_times_count_as_often(items):
    counts, labels, clusters, _ = items
    times = np.arange(len(labels)) % 3 + 1
    expected = replicates.v_measure(np.repeat(labels, times), np.repeat(clusters, times))(
        np.repeat(counts, times, axis=1)
    )
    assert replicates.v_measure(labels, clusters, times)(counts) == pytest.approx(expected)
