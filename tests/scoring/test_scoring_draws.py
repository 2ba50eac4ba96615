"""Random numbers that belong to an item: alike for every arm and task, and as random as they should be."""

import numpy as np
import pytest
from scipy import stats

from tl_search.scoring.uncertainty import draws

NAMES = [f"text {number}" for number in range(40)]


def drawn(names, seed=0, resamples=500):
    return np.concatenate([*draws.weights(names, seed, resamples)])


def test_an_item_has_the_same_weights_wherever_it_stands_and_whatever_stands_beside_it():
    whole = drawn(NAMES)
    assert (drawn(NAMES[::-1]) == whole[:, ::-1]).all()
    assert (drawn(NAMES[5:9]) == whole[:, 5:9]).all()
    assert (drawn([NAMES[3], NAMES[3]]) == whole[:, [3, 3]]).all()
    assert (drawn(NAMES, resamples=70) == whole[:70]).all()
    assert (drawn(NAMES, seed=1) != whole).all()


def test_weights_come_in_blocks(monkeypatch):
    whole = drawn(NAMES[:20], resamples=12)
    monkeypatch.setattr(draws, "BLOCK", 100)
    blocks = [*draws.weights(NAMES[:20], 0, 12)]
    assert [len(block) for block in blocks] == [5, 5, 2]
    assert (np.concatenate(blocks) == whole).all()


def test_weights_are_exponential_and_independent():
    whole = drawn(NAMES, resamples=2000)
    assert stats.kstest(whole.ravel(), "expon").pvalue > 0.01
    between = np.corrcoef(whole.T) - np.eye(len(NAMES))
    assert abs(between).max() < 5 / np.sqrt(len(whole))
    assert abs(np.corrcoef(whole[:-1].ravel(), whole[1:].ravel())[0, 1]) < 0.02  # one resample and the next


def test_the_first_weights_are_those_of_splitmix64():
    """So that replicates on disk stay comparable: this is worked out by whole numbers, from the published steps."""
    (key,) = draws._keys("item", ["a"], 0)
    state, expected = int(key), []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
        mixed ^= mixed >> 31
        expected.append(-np.log(((mixed >> 12) + 0.5) / 2.0**52))
    assert drawn(["a"], resamples=3)[:, 0] == pytest.approx(expected, rel=1e-12)


def test_normal_numbers_with_students_factors_have_students_distribution():
    values = draws.normal(["run"], 0, 4000)[:, 0] * draws.student(["run"], 5, 0, 4000)
    assert stats.kstest(values, stats.t(5).cdf).pvalue > 0.01
