"""Task groups, policies without a surrogate model, stopping, and what configs refuse."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_planes import plane_of, synthetic

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.bandits.policy import Problem
from tl_search.bandits.random import Random
from tl_search.bandits.stopping import Stopping
from tl_search.bandits.task_groups import group_score, group_weights, task_groups
from tl_search.bandits.ts import TS
from tl_search.bandits.ucb import UCB
from tl_search.plane.costs import CostTable, Spending

PLANE = plane_of((0, 10, 100), 3)


def problem(prices, weights=None):
    tasks = tuple(f"T{number}" for number in range(len(prices)))
    costs = CostTable(1.0, dict.fromkeys(tasks, 0.0), dict(zip(tasks, prices, strict=True)))
    return Problem(PLANE, tasks, weights or {task: 1 / len(tasks) for task in tasks}, costs)


def test_the_cheapest_tasks_come_first_and_each_group_keeps_the_suites_order():
    prices = [50.0, 1.0, 10.0, 1.0, 1.0, 1.0, 20.0, 16.0, 0.5]
    assert task_groups(problem(prices), (0.03, 0.12, 0.4), first=3) == (
        ("T1", "T3", "T8"),
        ("T4", "T5"),
        ("T2", "T7"),
        ("T0", "T6"),
    )


def test_a_pass_over_the_texts_counts_towards_the_price():
    costs = CostTable(1.0, {"A": 80.0, "B": 0.0, "C": 0.0}, {"A": 1.0, "B": 2.0, "C": 3.0})
    cut = task_groups(Problem(PLANE, ("A", "B", "C"), dict.fromkeys("ABC", 1 / 3), costs), (0.03,), first=1)
    assert cut == (("B",), ("A", "C"))


def test_a_task_bears_the_price_of_texts_that_it_shares_with_an_earlier_one():
    costs = CostTable(
        1.0, {"A": 80.0, "B": 0.0, "C": 1.0}, dict.fromkeys("ABC", 1.0), needs={"B": ("A", "B"), "A": ("A",)}
    )
    cut = task_groups(Problem(PLANE, ("A", "B", "C"), {"A": 0.5, "B": 0.25, "C": 0.25}, costs), (0.03,), first=1)
    assert cut == (("C",), ("A", "B"))


@given(
    st.lists(st.floats(0.01, 1000), min_size=1, max_size=20),
    st.lists(st.floats(0.01, 0.99), max_size=4, unique=True).map(sorted),
    st.integers(1, 6),
)
def test_groups_hold_every_task_once_by_rising_price(prices, shares, first):
    cut = task_groups(problem(prices), tuple(shares), first)
    assert sorted(task for group in cut for task in group) == sorted(problem(prices).tasks)
    price = problem(prices).costs.score
    for cheap, dear in pairwise(cut):
        assert max(price[task] for task in cheap) <= min(price[task] for task in dear)


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0, 100), st.floats(0.1, 9)), min_size=1, max_size=12))
def test_the_objective_is_the_weighted_sum_of_the_groups(rows):
    prices, points, raw = zip(*rows, strict=True)
    weights = {f"T{number}": weight / sum(raw) for number, weight in enumerate(raw)}
    scores = {f"T{number}": point for number, point in enumerate(points)}
    cut = task_groups(problem(list(prices), weights), (0.03, 0.12, 0.4), 3)
    by_group = group_weights(cut, weights) @ np.array([group_score(group, weights, scores) for group in cut])
    assert by_group == pytest.approx(sum(weights[task] * scores[task] for task in scores))


def pulls_of(config, recorded):
    policy, spending, done = config.start(recorded.problem), Spending(recorded.problem.costs), []
    while asked := policy.ask():
        policy.tell(recorded.observe(asked[0], spending))
        done.append(asked[0])
    return done, spending


def test_exhaustive_goes_column_by_column_and_costs_what_the_table_says():
    recorded = synthetic(0, steps=(0, 10, 100))
    done, spending = pulls_of(Exhaustive(), recorded)
    assert [pull.arm for pull in done] == list(recorded.problem.plane.arms())
    assert spending.spent.total == pytest.approx(recorded.exhaustive())


def test_random_scores_whole_arms_in_an_order_that_only_the_seed_decides():
    done = [[pull.arm.label for pull in pulls_of(Random(), synthetic(seed, steps=(0, 9, 99)))[0]] for seed in (1, 1, 2)]
    assert done[0] == done[1] != done[2]
    assert len(set(done[0])) == 15


class Fixed:
    """A policy whose gaps are known."""

    def __init__(self, gaps):
        self._gaps = gaps

    def gaps(self, draws):
        return self._gaps


def test_stops_at_the_confidence_that_was_asked_for():
    gaps = np.array([0.0] * 9 + [5.0])
    assert Stopping(epsilon=0.25, confidence=0.9).should_stop(Fixed(gaps))
    assert not Stopping(epsilon=0.25, confidence=0.95).should_stop(Fixed(gaps))


def test_without_a_confidence_stops_at_the_expected_gap():
    gaps = np.array([0.0] * 9 + [5.0])  # 0.5 on average
    assert Stopping(epsilon=0.6, confidence=None).should_stop(Fixed(gaps))
    assert not Stopping(epsilon=0.4, confidence=None).should_stop(Fixed(gaps))


@pytest.mark.parametrize("config", [Random(), Exhaustive()], ids=["random", "exhaustive"])
def test_a_policy_without_a_surrogate_model_is_never_stopped(config):
    policy = config.start(synthetic(0, steps=(0, 10)).problem)
    assert not Stopping(epsilon=100, confidence=0.01).should_stop(policy)


@pytest.mark.parametrize("config", [UCB(), TS()], ids=["ucb", "ts"])
def test_no_search_stops_before_its_opening_is_done(config):
    recorded = synthetic(0)
    policy, stopping = config.start(recorded.problem), Stopping(epsilon=100, confidence=0.01)
    spending = Spending(recorded.problem.costs)
    stopped = []
    for _ in range(9):
        stopped.append(stopping.should_stop(policy))
        policy.tell(recorded.observe(policy.ask()[0], spending))
    assert stopped[:6] == [False] * 6
    assert stopped[-1]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: UCB(beta=-1), "beta: must be >= 0, got -1"),
        (lambda: UCB(beta=math.nan), "beta: must be >= 0, got nan"),
        (lambda: TS(draws=0), "draws: must be >= 1, got 0"),
        (lambda: TS(shares=[0.4, 0.1]), "shares: must rise between 0 and 1"),
        (lambda: UCB(shares=[0.0]), "shares: must rise between 0 and 1"),
        (lambda: UCB(first=0), "first: must be >= 1, got 0"),
        (lambda: Stopping(epsilon=-0.1), "epsilon: must be >= 0"),
        (lambda: Stopping(confidence=0.0), "confidence: must be in"),
        (lambda: Stopping(draws=0), "draws: must be >= 1"),
        (lambda: problem([]), "tasks: must be one or more"),
        (lambda: problem([1.0], {"T0": 0.0}), "weights: must be > 0"),
        (lambda: problem([1.0], {"T0": 0.5, "T9": 0.5}), "weights: must be > 0"),
        (lambda: problem([1.0], {"T9": 1.0}), "weights: must name every task, got none for T0"),
    ],
)
def test_refuses_by_name_what_makes_no_sense(build, message):
    with pytest.raises(ValueError, match=message):
        build()
