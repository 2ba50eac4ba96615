"""Paired differences: what few seeds can show, and what they cannot."""

import pytest

from tl_search.report.paired import difference


def test_equal_arms_show_no_difference():
    found = difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (found.mean, found.bootstrap, found.student, found.shown) == (0, (0, 0), (0, 0), False)


def test_a_constant_gap_is_shown_whatever_the_seeds_are_like():
    found = difference([1.5, 9.5, 4.5], [1.0, 9.0, 4.0])
    assert found.mean == pytest.approx(0.5)
    assert found.shown


def test_three_seeds_of_one_sign_are_not_enough_when_they_scatter():
    found = difference([1.1, 1.5, 1.9], [1.0, 1.0, 1.0])
    assert found.bootstrap[0] > 0  # resamples of three positive numbers are all positive
    assert found.student[0] < 0
    assert not found.shown


def test_student_s_interval_is_that_of_the_textbook():
    found = difference([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0])
    assert found.student == pytest.approx((2.5 - 3.182446 * 0.645497, 2.5 + 3.182446 * 0.645497), abs=1e-5)


def test_one_seed_shows_nothing():
    found = difference([1.0], [0.0])
    assert (found.bootstrap, found.student, found.shown) == (None, None, False)


def test_values_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match=r"^pairs must have one value of each arm, got 2 and 1$"):
        difference([1.0, 2.0], [1.0])
