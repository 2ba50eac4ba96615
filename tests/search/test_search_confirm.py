"""Intervals and verdicts from replicates; whole confirmations are in test_search_run.py."""

import numpy as np
import pytest
from scipy.stats import norm

from tl_search.plane.arm import Arm
from tl_search.plane.costs import CostTable
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.pull import TaskSpec
from tl_search.plane.revision import Revision
from tl_search.runs.outcome import Gain, Interval
from tl_search.search.confirm import Confirm, Confirmation
from tl_search.search.finalists import Finalists

TASK = TaskSpec("T", "r", "confirmation", "STS", "cosine_spearman")


def arm(step, layer=1):
    revision = Revision(f"step{step}", step, weights=f"w{step}", tokenizer="t")
    return Arm("m", revision, layer, Extraction(dtype=Dtype.float32))


def confirmation(cells, resamples=1000):
    made = Confirmation(None, (TASK,), {"T": 1.0}, Confirm(resamples=resamples), CostTable(1, {"T": 1}, {"T": 1}))
    made.cells = {(one.key, "T"): cell for one, cell in cells.items()}
    return made


def normal(seed, mean, sd, count=1000):
    """Replicates whose quantiles are those of a normal distribution, in some order."""
    evenly = norm.ppf((np.arange(count) + 0.5) / count)
    return mean + sd * np.random.default_rng(seed).permutation(evenly)


def test_a_gain_is_the_first_arm_minus_the_second_over_the_same_resamples():
    shared = normal(0, 0, 5)  # what both arms owe to the draw of the items
    better, worse = (52.0, 52 + shared), (50.0, 50 + shared + normal(1, 0, 0.5))
    found = confirmation({arm(8): better, arm(4): worse}).gain(arm(8), arm(4))
    assert found.gain == 2.0
    assert list(found.interval) == [pytest.approx(2 - 0.98, abs=0.05), pytest.approx(2 + 0.98, abs=0.05)]
    assert found.standard_error == pytest.approx(0.5, abs=0.03)
    assert found.significant
    other_way = confirmation({arm(8): better, arm(4): worse}).gain(arm(4), arm(8))
    assert (other_way.gain, other_way.significant) == (-2.0, True)


def test_an_arm_gains_nothing_over_itself():
    found = confirmation({arm(8): (52.0, normal(0, 52, 5))}).gain(arm(8), arm(8))
    assert found == Gain(0.0, Interval(0.0, 0.0), standard_error=0.0)


def test_with_several_comparisons_each_interval_is_wider():
    replicates = normal(0, 0, 1)
    made = confirmation({})
    one, five = made.interval(replicates), made.interval(replicates, 5)
    assert list(one) == [pytest.approx(-1.96, abs=0.05), pytest.approx(1.96, abs=0.05)]
    assert list(five) == [pytest.approx(-2.58, abs=0.05), pytest.approx(2.58, abs=0.05)]


def test_a_tail_thinner_than_one_resample_is_not_cut_short_at_the_last_of_them():
    replicates = normal(0, 0, 1, count=100)
    low, high = confirmation({}, resamples=100).interval(replicates, comparisons=50)  # 0.0005 on each side
    assert low < -3.2
    assert high > 3.2


@pytest.mark.parametrize(
    ("trained", "controls", "verdict", "shown"),
    [
        (60, [(50, 1), (55, 1)], "trained", 3),
        (50, [(60, 1), (40, 1)], "control", 2),
        (50, [(50.5, 1), (40, 1)], "no difference", 2),
        (50, [(53, 9), (52, 0.1)], "control", 3),  # the strongest is too uncertain, another one decides
        (50, [(47, 0.1), (45, 9)], "no difference", 3),  # the strongest is beaten, another one is too uncertain
    ],
)
def test_the_interval_of_a_verdict_says_what_the_verdict_says(trained, controls, verdict, shown):
    cells = {arm(8): (float(trained), np.full(1000, float(trained)))}
    others = {arm(0, 2 + n): (float(mean), normal(n, mean, sd)) for n, (mean, sd) in enumerate(controls)}
    finalists = Finalists(arm(8), arm(8), arm(8), {"T": arm(8)}, tuple(others))
    (row,) = confirmation({**cells, **others}).verdicts(finalists)
    assert (row.verdict, row.control.arm.plain(), row.controls) == (verdict, ["step0", shown], 2)
    low, high = row.interval
    assert verdict == ("trained" if low > 0 else "control" if high < 0 else "no difference")


def test_controls_and_trained_arms_that_failed_take_no_part():
    cells = {arm(8): (60.0, normal(0, 60, 1)), arm(0, 2): (50.0, normal(1, 50, 1))}
    finalists = Finalists(arm(8), arm(8), arm(8), {"T": arm(8)}, (arm(0, 2), arm(0, 3)))
    (row,) = confirmation(cells).verdicts(finalists)
    assert (row.verdict, row.controls) == ("trained", 1)
    del cells[arm(8)]
    assert confirmation(cells).verdicts(finalists) == ()
