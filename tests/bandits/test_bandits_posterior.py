"""What the posterior is made of, and what may change it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_planes import DEMO_STEPS, plane_of, synthetic

from tl_search.bandits.features import Surface, surface_features, training_time
from tl_search.bandits.posterior import SEVERAL_GROUPS, Posterior
from tl_search.bandits.ts import TS
from tl_search.bandits.ucb import UCB
from tl_search.plane.costs import Spending
from tl_search.plane.pull import Cost, Observation, Pull

WEIGHTS = np.array([0.5, 0.3, 0.2])


def untold(n_layers=3):
    return Posterior(plane_of((0, 4, 16, 64, 256), n_layers), WEIGHTS, SEVERAL_GROUPS)


def learnt(order):
    """A posterior told the same twelve scores, split into updates as `order` says."""
    posterior = untold()
    arms, groups = np.repeat([2, 7, 13, 19], 3), np.tile([0, 1, 2], 4)
    values = 50 + 5 * np.sin(arms) + groups
    for part in np.split(np.arange(12), order):
        if len(part):
            posterior.learn(arms[part], groups[part], values[part])
    return posterior


def test_features_reproduce_the_kernel_that_they_stand_for():
    plane = plane_of((0, 10, 100, 1000), 4)
    features = surface_features(plane, Surface(1.0, 0.3, 0.7, embedding=0.0, trace=1 - 1e-9))
    time, depth = training_time((0, 10, 100, 1000)), np.arange(5) / 4

    def matern(distance):
        return (1 + np.sqrt(3) * distance) * np.exp(-np.sqrt(3) * distance)

    over_time = matern(np.abs(np.subtract.outer(time, time)) / 0.3)
    over_depth = matern(np.abs(np.subtract.outer(depth, depth)) / 0.7)
    assert features @ features.T == pytest.approx(np.kron(over_time, over_depth), abs=1e-6)


def test_few_features_keep_nearly_all_of_the_variance():
    plane = plane_of((0, *range(1000, 144_000, 1000)), 24)
    features = surface_features(plane, Surface(1.0, 0.3, 0.7, embedding=0.0, trace=0.998))
    assert np.mean(np.sum(features**2, axis=1)) == pytest.approx(1.0, abs=0.003)
    assert features.shape[1] < 0.1 * features.shape[0]


def test_layer_zero_varies_on_its_own():
    features = surface_features(plane_of((0, 10, 100), 3), Surface(1.0, 0.3, 0.7, embedding=0.5))
    variance = np.sum(features**2, axis=1).reshape(3, 4)
    assert variance[:, 0] == pytest.approx(1.5, abs=0.02)
    assert variance[:, 1:] == pytest.approx(1.0, abs=0.02)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=30, unique=True))
def test_training_time_runs_from_zero_to_one_in_the_order_of_steps(steps):
    steps = sorted(steps)
    time = training_time(steps)
    assert time[-1] == pytest.approx(1.0)
    assert np.all(np.diff(time) > 0)
    assert time[0] >= 0


def test_early_steps_of_a_short_run_are_told_apart():
    assert training_time(DEMO_STEPS)[3] > 0.2  # step 7 of 800
    assert training_time((0, 7, 143_000))[1] < 0.01


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=5).map(sorted))
def test_the_posterior_does_not_depend_on_how_scores_were_split_into_updates(order):
    one, many = learnt([]), learnt(order)
    assert many.mean() == pytest.approx(one.mean(), abs=1e-4)
    assert many.sd() == pytest.approx(one.sd(), abs=1e-4)


def test_step_by_step_updates_equal_one_fit_of_everything():
    stepwise, refitted = learnt([3, 6, 9]), learnt([3, 6, 9])
    refitted._refit(refitted._scale)
    assert refitted.mean() == pytest.approx(stepwise.mean(), abs=1e-4)
    assert refitted.sd() == pytest.approx(stepwise.sd(), abs=1e-4)


def test_draws_have_the_posteriors_mean_and_spread():
    posterior = learnt([])
    drawn = posterior.draws(np.random.default_rng(0), 20_000)
    assert drawn.mean(axis=1) == pytest.approx(posterior.mean(), abs=0.2)
    assert drawn.std(axis=1) == pytest.approx(posterior.sd(), rel=0.05, abs=0.02)


def test_a_pending_score_narrows_the_posterior_as_much_as_it_will_when_known_and_moves_nothing():
    arms, groups = np.array([5, 5]), np.array([0, 1])
    before, waiting, told = learnt([]), learnt([]), learnt([])
    waiting.learn(arms, groups, None)
    told.learn(arms, groups, np.array([60.0, 61.0]))
    assert waiting.mean() == pytest.approx(before.mean())
    assert waiting.sd() == pytest.approx(told.sd())
    assert waiting.sd()[5] < before.sd()[5]


def test_shift_is_the_spread_of_the_mean_that_a_score_will_cause():
    posterior, told = learnt([]), learnt([])
    arms, groups = np.array([5, 6]), np.array([0, 2])
    every = np.arange(len(posterior.mean()))
    explained = np.sum(posterior.shift(arms, groups, every) ** 2, axis=1)
    told.learn(arms, groups, None)
    assert posterior.sd() ** 2 - told.sd() ** 2 == pytest.approx(explained, abs=1e-6)


def test_a_copy_learns_on_its_own():
    posterior = learnt([])
    mean = posterior.mean().copy()
    posterior.copy().learn(np.array([0]), np.array([0]), np.array([90.0]))
    assert posterior.mean() == pytest.approx(mean)


@pytest.mark.parametrize("spread", [0.5, 20.0])
def test_scales_follow_the_spread_of_the_scores(spread):
    posterior, generator = untold(), np.random.default_rng(1)
    arms = np.arange(20)
    before = posterior.sd().mean()
    posterior.learn(arms, np.zeros(20, int), 50 + spread * generator.standard_normal(20))
    narrow = posterior.sd().mean()
    posterior.rescale()
    wider = posterior.sd().mean() > narrow
    assert wider == (spread > 6)
    assert posterior.sd().mean() < before


@pytest.mark.parametrize("config", [UCB(), TS()], ids=["ucb", "ts"])
def test_a_failed_cell_leaves_the_posterior_as_it_was(config):
    recorded = synthetic(0)
    policy, spending = config.start(recorded.problem), Spending(recorded.problem.costs)
    for _ in range(10):
        policy.tell(recorded.observe(policy.ask()[0], spending))
    mean, sd = policy.posterior()
    arm = policy.ask()[0].arm
    policy.tell(Observation(Pull(10, arm, recorded.problem.tasks), dict.fromkeys(recorded.problem.tasks), Cost()))
    assert policy.posterior()[0] == pytest.approx(mean)
    assert policy.posterior()[1] == pytest.approx(sd)
    assert policy.ask()[0].arm != arm


@pytest.mark.parametrize("config", [UCB(), TS()], ids=["ucb", "ts"])
def test_the_posterior_of_an_arm_scored_in_full_is_its_score(config):
    recorded = synthetic(1)
    policy, arm = config.start(recorded.problem), recorded.problem.plane.arms()[42]
    pull = Pull(-1, arm, recorded.problem.tasks)
    policy.tell(recorded.observe(pull, Spending(recorded.problem.costs)))
    mean, sd = policy.posterior()
    assert mean.shape == sd.shape == (15, 5)
    assert mean[8, 2] == pytest.approx(recorded.objective[42])
    assert sd[8, 2] == 0
    assert policy.ask()[0].t == 0  # cells known before the search are no decisions
