"""What every policy in conf/bandit promises, with or without a surrogate model."""

import math
import time
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from tl_search.bandits.policy import PolicyConfig, Problem
from tl_search.cli.config.convert import convert
from tl_search.errors.kinds import BadInput
from tl_search.plane.arm import Plane
from tl_search.plane.costs import CostTable, Spending
from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.pull import Observation, Pull
from tl_search.plane.revision import Revision

FILES = sorted((Path(__file__).parents[2] / "conf" / "bandit").glob("*.yaml"))
TASKS = ("Dear", "Cheap", "Middle", "Cheapest")
PRICES = {"Dear": 9.0, "Cheap": 0.5, "Middle": 2.0, "Cheapest": 0.2}
STEPS = (0, 2, 6, 14, 30, 50)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def config(request):
    node = OmegaConf.to_container(OmegaConf.load(request.param))
    return get_class(node.pop("_target_"))(**node)


def problem(seed=0, steps=STEPS, n_layers=3):
    revisions = tuple(Revision(f"step{step}", step, weights=f"w{step}", tokenizer="t") for step in steps)
    plane = Plane("model", revisions, n_layers, Extraction(dtype=Dtype.float32))
    return Problem(plane, TASKS, dict.fromkeys(TASKS, 0.25), CostTable(3.0, PRICES, PRICES), seed)


def score(pull, task):
    """Rises with training, best at layer 2, with a departure that belongs to the task."""
    along = math.log1p(pull.arm.revision.step)
    return 40 + 5 * along - 2 * min(abs(pull.arm.layer - 2), 4) ** 2 + math.sin(len(task) * pull.arm.layer + along)


def objective(arm):
    return sum(score(Pull(0, arm, ()), task) for task in TASKS) / len(TASKS)


def outcome(pull, failing=()):
    scores = {task: None if (pull.arm.label, task) in failing else score(pull, task) for task in pull.tasks}
    return Observation(pull, scores, Spending(problem().costs).price(pull.arm, pull.tasks))


def run(policy, pulls=10_000, failing=(), count=1):
    """Ask and tell until the end; the pulls in order."""
    done = []
    while len(done) < pulls and (asked := policy.ask(count)):
        for pull in asked:
            policy.tell(outcome(pull, failing))
            done.append(pull)
    return done


def cells(pulls):
    return [(pull.arm.label, task) for pull in pulls for task in pull.tasks]


def test_its_config_is_what_a_search_takes_as_bandit(config):
    assert convert(config, PolicyConfig, "bandit") is config
    assert isinstance(config.budgeted, bool)


def test_a_config_that_lacks_part_of_it_is_refused_before_the_search():
    with pytest.raises(BadInput, match="bandit: must be a PolicyConfig"):
        convert(Extraction(), PolicyConfig, "bandit")


def test_scores_every_cell_once_and_then_has_nothing_to_ask(config):
    policy = config.start(problem())
    scored = cells(run(policy))
    every = {(arm.label, task) for arm in problem().plane.arms() for task in TASKS}
    assert len(scored) == len(set(scored))
    assert set(scored) == every
    assert policy.ask(3) == []


def test_counts_decisions_from_zero_and_names_tasks_in_the_suites_order(config):
    pulls = run(config.start(problem()), 12)
    assert [pull.t for pull in pulls] == list(range(12))
    for pull in pulls:
        assert list(pull.tasks) == [task for task in TASKS if task in pull.tasks]
        assert pull.tasks


def test_asking_changes_nothing(config):
    asked, quiet = config.start(problem()), config.start(problem())
    for _ in range(14):
        first = asked.ask()
        asked.ask(3)
        asked.recommend()
        asked.gaps(8)
        asked.posterior()
        assert asked.ask() == first == quiet.ask()
        for policy in (asked, quiet):
            policy.tell(outcome(first[0]))


def test_the_same_seed_gives_the_same_trajectory(config):
    assert run(config.start(problem(seed=5)), 15) == run(config.start(problem(seed=5)), 15)


@pytest.mark.parametrize("told", [1, 5, 9, 17])
def test_a_replayed_history_goes_on_as_the_search_would_have(config, told):
    history = run(config.start(problem()), 25)
    resumed = config.start(problem())
    for pull in history[:told]:
        resumed.tell(outcome(pull))
    assert run(resumed, 3) == history[told : told + 3]


def test_failed_cells_are_not_proposed_again_and_never_count_as_zero(config):
    arms = problem().plane.arms()
    failing = {(arm.label, "Cheapest") for arm in arms[::3]} | {(arm.label, "Dear") for arm in arms[-4:]}
    policy = config.start(problem())
    scored = cells(run(policy, failing=failing))
    assert len(scored) == len(set(scored))
    assert policy.ask() == []
    whole = [arm for arm in arms if all((arm.label, task) not in failing for task in TASKS)]
    best = policy.recommend()
    assert best.arm == max(whole, key=objective)
    assert best.mean == pytest.approx(objective(best.arm))


def test_names_an_arm_even_when_every_cell_fails(config):
    policy, arms = config.start(problem()), problem().plane.arms()
    run(policy, failing={(arm.label, task) for arm in arms for task in TASKS})
    assert policy.recommend().arm in arms


@pytest.mark.parametrize("count", [2, 5])
def test_several_pulls_at_once_share_no_cell(config, count):
    policy = config.start(problem())
    for _ in range(4):
        asked = policy.ask(count)
        assert len(asked) == count
        assert len(cells(asked)) == len(set(cells(asked)))
        assert [pull.t for pull in asked] == list(range(asked[0].t, asked[0].t + count))
        for pull in asked:
            policy.tell(outcome(pull))


def test_a_batch_is_what_asking_with_the_earlier_pulls_pending_gives(config):
    policy = config.start(problem())
    run(policy, 10)
    first, second, third = policy.ask(3)
    assert policy.ask(2, pending=[first]) == [second, third]
    assert policy.ask(1, pending=[first, second]) == [third]


def test_names_an_arm_of_the_plane_from_the_first_call(config):
    policy = config.start(problem())
    for _ in range(12):
        recommendation = policy.recommend()
        assert recommendation.arm in problem().plane.arms()
        assert math.isfinite(recommendation.mean)
        assert recommendation.sd >= 0
        policy.tell(outcome(policy.ask()[0]))


def test_names_the_best_arm_once_everything_is_scored(config):
    policy = config.start(problem())
    run(policy)
    assert policy.recommend().arm == max(problem().plane.arms(), key=objective)


def test_learns_from_cells_that_it_never_asked_for(config):
    policy, arms = config.start(problem()), problem().plane.arms()
    for arm in (arms[9], arms[22]):
        policy.tell(outcome(Pull(-1, arm, TASKS)))
    policy.tell(outcome(Pull(-1, arms[4], ("Middle",))))
    known = {(arm.label, task) for arm in (arms[9], arms[22]) for task in TASKS} | {(arms[4].label, "Middle")}
    scored = cells(run(policy))
    assert not known & set(scored)
    assert len(scored) + len(known) == len(arms) * len(TASKS)


def test_refuses_a_score_of_another_search(config):
    policy = config.start(problem())
    pull = policy.ask()[0]
    with pytest.raises(ValueError, match="scores: must be of tasks of the search"):
        policy.tell(Observation(pull, {"Elsewhere": 1.0}, outcome(pull).cost))
    assert policy.ask() == [pull]


@pytest.mark.parametrize(("steps", "n_layers"), [((0,), 1), ((100,), 3), ((0, 1), 1), ((5, 9, 11), 1)])
def test_the_smallest_planes_are_searched_to_the_end(config, steps, n_layers):
    small = problem(steps=steps, n_layers=n_layers)
    scored = cells(run(config.start(small)))
    assert len(scored) == len(set(scored)) == len(small.plane.arms()) * len(TASKS)


def test_a_decision_on_the_largest_public_plane_takes_no_time_worth_noting(config):
    """154 revisions × 37 layers; measured at about 0.03 s, and the bound leaves room for a busy machine."""
    policy = config.start(problem(steps=tuple(range(0, 154_000, 1000)), n_layers=36))
    run(policy, 10)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        policy.tell(outcome(policy.ask()[0]))
        seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[2] < 2.0
