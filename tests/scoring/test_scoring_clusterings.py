"""Replicates of a clustering score vary with the clusters that other texts would give, not only with what they are."""

import numpy as np
import pytest

from tl_search.scoring.uncertainty import replicates
from tl_search.scoring.uncertainty.clusterings import _moved
from tl_search.scoring.uncertainty.items import Again, Items
from tl_search.scoring.uncertainty.resample import _as_many, replicate


def clustered(spread, size=60, classes=6, width=16):
    """Vectors (text, width), labels, and the clusters that are nearest to the classes' centres."""
    rng = np.random.default_rng(0)
    centres = spread * rng.standard_normal((classes, width))
    labels = np.arange(size) % classes
    states = centres[labels] + rng.standard_normal((size, width))
    nearest = ((states[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    return states, labels, nearest, np.ones(size, dtype=int)


def weighted(size=60, resamples=20):
    return np.random.default_rng(1).exponential(size=(resamples, size))


def test_clusters_that_lie_far_apart_stay_as_they_are_under_any_weights():
    states, labels, nearest, times = clustered(spread=40)
    assert _moved(states, labels, nearest, times)(weighted()) == pytest.approx(np.ones(20))


def test_clusters_that_overlap_move_with_the_weights_so_the_score_varies_more_than_with_clusters_that_stay():
    states, labels, nearest, times = clustered(spread=0.8)
    stay = replicates.v_measure(labels, nearest, times)(weighted())
    moved = _moved(states, labels, nearest, times)(weighted())
    assert moved.std() > 1.2 * stay.std()


def test_texts_that_a_sample_has_several_times_weigh_as_much_as_their_copies():
    states, labels, nearest, times = clustered(spread=0.8)
    times = times + np.arange(60) % 2
    copied = np.repeat(np.arange(60), times)
    once = _moved(states, labels, nearest, times)(weighted())
    found = _moved(states[copied], labels[copied], nearest[copied], np.ones(90, dtype=int))(weighted()[:, copied])
    assert once == pytest.approx(found)


def test_replicates_have_the_spread_of_the_few_scores_that_were_made_again_and_pair_by_what_the_texts_are():
    names = tuple(f"text {number}" for number in range(30))
    noise = np.random.default_rng(2).standard_normal(30)
    again = Again((replicates.mean_of(noise),), times=20, of=1, levels=(0,))
    plain = Items(names, replicates.mean_of(np.zeros(30)), again=again)
    one, other = replicate(plain, 0.5, 0, 2000), replicate(plain, 0.7, 0, 2000)
    assert one.std() == pytest.approx(noise.std() / np.sqrt(30), rel=0.4)
    assert other - one == pytest.approx(np.full(2000, 0.2))


@pytest.mark.parametrize(("common", "own"), [(1.0, 0.0), (1.0, 2.0), (0.0, 2.0), (0.3, 3.0)])
def test_a_few_clusterings_tell_how_the_mean_of_all_would_vary(common, own):
    rng, found = np.random.default_rng(3), []
    for _ in range(400):
        values = common * rng.standard_normal((20, 1)) + own * rng.standard_normal((20, 3)) + rng.standard_normal(3)
        deviations = _as_many(values, Again((abs,) * 3, times=20, of=10, levels=(0, 0, 0)))
        assert deviations.sum() == pytest.approx(0)
        found.append(deviations @ deviations / 19)
    # where weights change each clustering in its own way alone, the estimate cannot fall below what that is
    assert np.mean(found) == pytest.approx(common**2 + own**2 / 10, rel=0.1 if common >= own / 2 else 0.6)


def test_all_clusterings_are_taken_as_they_are():
    values = np.random.default_rng(4).standard_normal((20, 3))
    means = values.mean(axis=1)
    assert _as_many(values, Again((abs,) * 3, times=20, of=3, levels=(0, 0, 0))) == pytest.approx(means - means.mean())
    assert _as_many(values[:, :1], Again((abs,), times=20, of=10, levels=(0,))) == pytest.approx(
        values[:, 0] - values[:, 0].mean()
    )


def test_what_a_weighting_does_to_a_level_of_labels_is_not_taken_for_chance():
    rng, found = np.random.default_rng(5), []
    again = Again((abs,) * 6, times=20, of=20, levels=(0, 0, 0, 1, 1, 1))
    for _ in range(400):
        of_level = np.repeat(rng.standard_normal((20, 2)), 3, axis=1)
        deviations = _as_many(of_level + 0.5 * rng.standard_normal((20, 6)), again)
        found.append(deviations @ deviations / 19)
    assert np.mean(found) == pytest.approx(1 / 2 + 0.5**2 / 20, rel=0.05)
