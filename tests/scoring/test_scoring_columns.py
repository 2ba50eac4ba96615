"""Columns of data sets are read at once while mteb evaluates: the same values, and the same scores."""

import mteb
import numpy as np
import pytest
from datasets import Dataset
from datasets.arrow_dataset import Column
from scoring import tiny_tasks
from scoring.test_scoring_halves import Plain

from tl_search.scoring.quicker.columns import columns_read_at_once

ROWS = {"text": ["a", "b", "c", "d"], "label": [3, 1, 2, 0], "deep": [{"x": n} for n in range(4)]}


@pytest.fixture
def table():
    return Dataset.from_dict(ROWS).select([2, 0, 3, 1])


def looked_at(table):
    """What can be asked of columns."""
    text, label = table["text"], table["label"]
    return [
        *(list(text), text[1], text[-1], text[np.int64(2)], text[1:3], text[[0, 3]], text[:], len(text)),
        *(
            list(reversed(label)),
            np.asarray(label).tolist(),
            3 in label,
            label == [2, 3, 0, 1],
            list(table["deep"]["x"]),
        ),
    ]


def test_a_column_has_the_values_that_it_has_without(table):
    with columns_read_at_once():
        inside = looked_at(table)
    assert inside == looked_at(table)
    with pytest.raises(IndexError), columns_read_at_once():
        table["text"][4]


def test_the_table_is_read_for_one_value_then_for_all_and_as_before_afterwards(table, monkeypatch):
    read, real = [], Dataset._getitem
    monkeypatch.setattr(Dataset, "_getitem", lambda self, key, **kwargs: read.append(key) or real(self, key, **kwargs))
    before = Column.__getitem__, Column.__iter__
    with columns_read_at_once():
        assert table["label"][3] == 1
        column = table["label"]
        assert sorted(column[n] for n in range(4)) == sorted(column) == [0, 1, 2, 3]
    assert [key for key in read if key != slice(None)] == [3, 0]
    assert len(read) == 3
    assert (Column.__getitem__, Column.__iter__) == before


@pytest.mark.parametrize("name", ["TinyClassification", "TinyPairs", "TinyRetrieval", "TinyClustering"])
def test_mteb_gives_the_same_scores(name, embed):
    def evaluated():
        task = tiny_tasks.TASKS[name]()
        found = mteb.evaluate(Plain(embed), task, cache=None, co2_tracker=False, show_progress_bar=False)
        return found.task_results[0].scores

    plain = evaluated()
    with columns_read_at_once():
        assert evaluated() == plain
