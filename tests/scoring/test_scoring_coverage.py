"""Intervals from replicates hold the truth as often as they say: made-up scores, and tasks.

The slow tests draw tasks from populations and confirm each draw, as `experiments/coverage/measure.py` does.
"""

import numpy as np
import pytest

from tl_search.scoring.uncertainty import replicates
from tl_search.scoring.uncertainty.items import Items, Runs
from tl_search.scoring.uncertainty.resample import replicate, standard_error


def made_up(rng, items=60, runs=10, of_items=1.0, of_runs=0.3, of_both=1.0):
    """Values (item, run) whose mean is 0 in the population: what is due to items, to runs, and to both."""
    return (
        of_items * rng.standard_normal((items, 1))
        + of_runs * rng.standard_normal((1, runs))
        + of_both * rng.standard_normal((items, runs))
    )


def copies(values, name, resamples=200):
    parts = [replicates.mean_of(one) for one in values.T]
    names = tuple(f"{name} {number}" for number in range(len(values)))
    runs = Runs.alike(parts, [f"{name} run {number}" for number in range(len(parts))], 1 / len(parts))
    return replicate(Items(names, None, runs=runs), values.mean(), 0, resamples)


def held(found, truth=0.0):
    low, high = np.quantile(found, [0.025, 0.975])
    return low <= truth <= high


def test_intervals_hold_what_items_and_runs_do_to_a_score_and_to_a_gain():
    rng, scores, gains = np.random.default_rng(0), [], []
    for draw in range(300):
        shared = made_up(rng)
        one, two = (shared + made_up(rng, of_items=0.5, of_runs=0.2) for _ in range(2))
        first, second = copies(one, draw), copies(two, draw)
        scores += [held(first), held(second)]
        gains.append(held(first - second))
    assert 0.93 <= np.mean(scores) <= 0.97
    assert 0.93 <= np.mean(gains) <= 0.97  # so equal arms differ in 3 to 7 % of draws


def test_without_the_runs_equal_arms_would_differ_too_often():
    rng, gains = np.random.default_rng(0), []
    for draw in range(200):
        names = tuple(f"{draw} {number}" for number in range(60))
        pair = [made_up(rng, of_both=0.2).mean(axis=1) for _ in range(2)]
        found = [replicate(Items(names, replicates.mean_of(one)), one.mean(), 0, 200) for one in pair]
        gains.append(held(found[0] - found[1]))
    assert np.mean(gains) < 0.9


def test_halves_that_differ_tell_how_a_mean_over_them_would_vary():
    rng = np.random.default_rng(0)
    spread = []
    for draw in range(200):
        scores = rng.standard_normal(10)
        halves = np.zeros((5, 10))
        for row in range(5):
            halves[row, 2 * row : 2 * row + 2] = np.array([1, -1]) / 2 / np.sqrt(5)
        runs = Runs(tuple(replicates.mean_of(np.full(30, score)) for score in scores), tuple("abcde"), halves, 5)
        found = replicate(Items(tuple(f"{draw} {n}" for n in range(30)), None, runs=runs), 0.0, draw, 200)
        spread.append(standard_error(found) ** 2)
    assert np.mean(spread) == pytest.approx(0.5 * 1.2, rel=0.15)  # 1/2 of a head's variance, with Student's tails


def test_tasks_over_the_same_items_are_not_taken_for_independent():
    rng = np.random.default_rng(1)
    values = rng.standard_normal(100)
    names = tuple(f"text {number}" for number in range(100))
    first = replicate(Items(names, replicates.mean_of(values)), 0.0, 0, 1000)
    other = replicate(Items(names[::-1], replicates.mean_of(values[::-1] + 1)), 0.0, 0, 1000)
    apart = replicate(Items(tuple(f"other {n}" for n in names), replicates.mean_of(values)), 0.0, 0, 1000)
    assert np.corrcoef(first, other)[0, 1] > 0.999
    assert abs(np.corrcoef(first, apart)[0, 1]) < 0.15


def test_a_standard_error_is_the_deviation_of_normal_replicates_and_stays_finite_with_long_tails():
    rng = np.random.default_rng(0)
    assert standard_error(3 * rng.standard_normal(20_000)) == pytest.approx(3, rel=0.03)
    assert standard_error(rng.standard_cauchy(20_000)) == pytest.approx(1.84, rel=0.05)


def test_the_share_of_intervals_that_hold_is_counted(coverage):
    """Of 1,000 draws for three arms whose replicates vary as they should, and as much too little as a third."""
    rng = np.random.default_rng(0)
    scores, around = rng.standard_normal((1000, 3)), rng.standard_normal((1000, 3, 300))
    right, narrow = (coverage.covered(scores, scores[..., None] + wide * around, 0.0) for wide in (1, 2 / 3))
    assert (right.scores, right.gains, right.false) == pytest.approx((0.95, 0.95, 0.05), abs=0.015)
    assert (right.width, right.width_gains) == pytest.approx((1, 1), abs=0.05)
    assert (narrow.scores, narrow.width) == pytest.approx((0.81, 2 / 3), abs=0.03)


DRAWS = 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        "classification, ten experiments",
        "classification, embedded",
        "classification, two tasks over the same texts",
        "STS",
        "summarization",
        "pairs, max_ap",
        "pairs, cosine_ap",
        "clustering",
        "clustering of sets",
        "retrieval, 120 queries",
        "reranking, 120 queries",
        "precision at 1, 300 queries",
    ],
)
def test_intervals_of_tasks_drawn_from_a_population_cover(coverage, what):
    """93 to 97 %, and 3 to 7 % for equal arms, each widened by two standard errors of a share of this many draws."""
    population, slack = coverage.POPULATIONS[what], 2 * np.sqrt(0.95 * 0.05 / DRAWS)
    found = coverage.measure(population, draws=DRAWS, resamples=300)
    assert 0.93 - slack <= found.scores <= 0.97 + slack
    assert 0.93 - slack <= found.gains <= 0.97 + slack
    assert 0.03 - slack <= found.false <= 0.07 + slack
