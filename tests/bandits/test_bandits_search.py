"""How far the policies get for how much, on planes whose every score is known."""

import numpy as np
import pytest
from outside_data import outside
from recorded_planes import RecordedPlane, plane_of, regret_at, replay, synthetic

from tl_search.bandits.policy import Problem
from tl_search.bandits.random import Random
from tl_search.bandits.stopping import Stopping
from tl_search.bandits.ts import TS
from tl_search.bandits.ucb import UCB
from tl_search.plane.costs import CostTable

POLICIES = pytest.mark.parametrize("config", [UCB(), TS()], ids=["ucb", "ts"])
SEEDS = range(8)


@pytest.mark.slow_but_one
@POLICIES
@pytest.mark.parametrize("embed", [0.3, 5.0], ids=["cells dear", "columns dear"])
@pytest.mark.parametrize("n_tasks", [5, 8])
def test_is_within_a_point_of_the_best_arm_for_a_quarter_of_the_cost(config, embed, n_tasks):
    """On planes of 15 revisions × 5 layers, whichever part of a pull costs most."""
    regrets = []
    for seed in SEEDS:
        recorded = synthetic(seed, n_tasks=n_tasks, embed=embed)
        regrets.append(regret_at(replay(recorded, config.start(recorded.problem), until=0.25), 0.25))
    assert max(regrets) <= 1.0


@POLICIES
def test_is_ahead_of_chance_at_a_tenth_of_the_cost(config):
    planes = [synthetic(seed) for seed in SEEDS]
    found = [regret_at(replay(plane, config.start(plane.problem), until=0.1), 0.1) for plane in planes]
    chance = [regret_at(replay(plane, Random().start(plane.problem), until=0.1), 0.1) for plane in planes]
    assert np.median(found) < 0.5 * np.median(chance)
    assert max(found) < max(chance)


@POLICIES
def test_one_task_is_searched_too(config):
    regrets = []
    for seed in SEEDS:
        recorded = synthetic(seed, n_tasks=1)
        regrets.append(regret_at(replay(recorded, config.start(recorded.problem), until=0.25), 0.25))
    assert np.median(regrets) <= 1.0


@POLICIES
def test_stops_early_and_close_to_the_best_arm(config):
    stopping, regrets, shares = Stopping(epsilon=0.5, confidence=0.9), [], []
    for seed in SEEDS:
        recorded = synthetic(seed)
        policy = config.start(recorded.problem)
        trace = replay(recorded, policy, each=lambda policy=policy: stopping.should_stop(policy))
        shares.append(trace[-1][0])
        regrets.append(trace[-1][1])
    assert max(shares) < 0.5
    assert sum(regret <= 0.5 for regret in regrets) >= len(SEEDS) - 1


@POLICIES
def test_finds_the_best_arm_of_a_published_training_run(config):
    """Pythia-410m, the mean of 16 tasks: 14 revisions × 25 layers with the evaluator's own seconds."""
    recorded = published()
    trace = replay(recorded, config.start(recorded.problem), until=0.1)
    assert regret_at(trace, 0.05) <= 0.5
    assert regret_at(trace, 0.1) <= 0.25


def published(seed: int = 0) -> RecordedPlane:
    """Seconds of a task over depth are a straight line: what grows is the pass, what stays is the evaluation."""
    file = outside("planes/pythia410m_16tasks.parquet")
    table = pytest.importorskip("pandas").read_parquet(file)
    table["step"] = [143_000 if name == "main" else int(name.removeprefix("step")) for name in table.revision]
    steps, tasks = sorted(map(int, table.step.unique())), tuple(sorted(table.task.unique()))

    def cube(column, rows):
        wide = rows.pivot_table(index=["step", "layer"], columns="task", values=column)[list(tasks)]
        return wide.to_numpy().reshape(rows.step.nunique(), -1, len(tasks))

    scores = 100 * cube("main_score", table)
    seconds = np.median(cube("eval_seconds", table[table.revision != "main"]), axis=0)  # main ran on another machine
    lines = np.polyfit(np.arange(len(seconds)) / (len(seconds) - 1), seconds, 1)
    costs = CostTable(
        load=120.0,
        embed={task: max(float(slope), 0.0) for task, slope in zip(tasks, lines[0], strict=True)},
        score={task: max(float(level), 0.5) for task, level in zip(tasks, lines[1], strict=True)},
    )
    problem = Problem(plane_of(steps, len(seconds) - 1), tasks, dict.fromkeys(tasks, 1 / len(tasks)), costs, seed)
    return RecordedPlane(problem, scores.reshape(-1, len(tasks)))
