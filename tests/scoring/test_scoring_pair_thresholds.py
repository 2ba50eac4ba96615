"""The thresholds that mteb finds by trying one after the other are found at once, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring import tiny_tasks

from tl_search.scoring.quicker.pair_thresholds import try_thresholds_at_once

FEW = st.integers(-3, 3).map(lambda number: number / 7)  # so that many pairs are equally similar


@given(st.lists(st.tuples(FEW | st.floats(-1, 1), st.sampled_from([0, 1])), min_size=2, max_size=40), st.booleans())
def test_accuracy_f1_and_their_thresholds_are_mtebs(pairs, high_first):
    theirs, ours = tiny_tasks.TinyPairs(), tiny_tasks.TinyPairs()
    try_thresholds_at_once(ours)
    scores, labels = [score for score, _ in pairs], np.asarray([label for _, label in pairs])
    for name in ("_find_best_acc_and_threshold", "_find_best_f1_and_threshold"):
        wanted = getattr(theirs, name)(scores, labels, high_first)
        assert getattr(ours, name)(scores, labels, high_first) == pytest.approx(wanted, abs=0, rel=0)


def test_all_of_a_tasks_measures_are_mtebs():
    theirs, ours = tiny_tasks.TinyPairs(), tiny_tasks.TinyPairs()
    try_thresholds_at_once(ours)
    rng = np.random.default_rng(0)
    names = ("similarity_scores", "cosine_scores", "manhattan_distances", "euclidean_distances", "dot_scores")
    scores = {name: np.round(rng.standard_normal(300), 2).tolist() for name in names}
    labels = rng.integers(2, size=300).tolist()
    assert ours._compute_metrics(scores, labels) == theirs._compute_metrics(scores, labels)
