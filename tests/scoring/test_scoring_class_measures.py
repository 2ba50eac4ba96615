"""Measures of classes that are computed from one count are mteb's, to the last bit."""

import numpy as np
from datasets import Dataset
from hypothesis import assume, given
from hypothesis import strategies as st
from scoring import tiny_tasks

from tl_search.scoring.quicker.class_measures import count_classes_once

CLASSES = st.sampled_from([0, 1, 2, 5]) | st.sampled_from([0, 1])


@given(st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=30), st.booleans())
def test_all_measures_are_mtebs(pairs, only_two):
    true, found = np.asarray(pairs).T % (2 if only_two else 9)
    assume(set(true) == {0, 1} or len(set(true)) != 2)  # for others mteb's average precision raises
    theirs, ours = tiny_tasks.TinyClassification(), tiny_tasks.TinyClassification()
    count_classes_once(ours)
    assert ours._calculate_scores(true, found) == theirs._calculate_scores(true, found)


def test_labels_may_be_words_in_a_column_of_a_table():
    theirs, ours = tiny_tasks.TinyClassification(), tiny_tasks.TinyClassification()
    count_classes_once(ours)
    labels = Dataset.from_dict({"label": ["no", "yes", "perhaps", "no"]})["label"]  # as mteb gives them
    found = np.array(["no", "no", "perhaps", "yes"])
    assert ours._calculate_scores(labels, found) == theirs._calculate_scores(labels, found)


def test_a_task_with_measures_of_its_own_keeps_them():
    class Own(tiny_tasks.TinyClassification):
        def _calculate_scores(self, y_test, y_pred):
            return {"accuracy": 0.5}

    task = Own()
    count_classes_once(task)
    assert task._calculate_scores([0, 1], [1, 0]) == {"accuracy": 0.5}
