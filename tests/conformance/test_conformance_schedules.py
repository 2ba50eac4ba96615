"""What every schedule, sampling, curriculum and objective must keep. A new one joins by its file in conf/."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tl_search.cli.config.build import build
from tl_search.plane.curriculum import CURRENT
from tl_search.plane.horizon import Horizon
from tl_search.plane.pull import TaskSpec
from tl_search.plane.revision import Revision
from tl_search.plane.schedule import named, names

CONF = Path(__file__).parents[2] / "conf"
LISTED = 1  # the step that a schedule gets whose steps must be given


def made(group):
    """Option → object, built as the command line builds it; a setting that must be given is a list of one step."""
    objects = {}
    for path in sorted((CONF / group).glob("*.yaml")):
        if (group, path.stem) == ("curriculum", CURRENT):  # stands for one of a checkpoint
            continue
        node = OmegaConf.load(path)
        for base in [name for name in node.pop("defaults", ()) if name != "_self_"]:
            node = OmegaConf.merge(OmegaConf.load(path.with_stem(base)), node)
        missing = {key: [LISTED] for key in node if OmegaConf.is_missing(node, key)}
        objects[path.stem] = build(OmegaConf.create({group: OmegaConf.merge(node, missing)}))[group]
    return objects


SCHEDULES, SAMPLINGS, CURRICULA, OBJECTIVES = map(made, ("schedule", "sampling", "curriculum", "objective"))

horizons = st.lists(st.integers(1, 400), min_size=1, max_size=5).map(
    lambda epochs: Horizon(sum(epochs), tuple(sum(epochs[: n + 1]) for n in range(len(epochs))))
)
revisions = st.lists(st.integers(0, 200_000), min_size=1, max_size=60, unique=True).map(
    lambda steps: tuple(Revision(f"step{step}", step) for step in sorted(steps))
)


@pytest.mark.parametrize("name", SCHEDULES)
@given(horizon=horizons)
def test_a_schedule_is_sorted_unique_in_bounds_and_holds_what_it_keeps(name, horizon):
    steps = SCHEDULES[name].steps(horizon)
    assert list(steps) == sorted(set(steps))
    assert steps[0] >= 0
    assert {horizon.total} <= SCHEDULES[name].kept(horizon) <= set(steps)
    assert steps[-1] == horizon.total
    assert SCHEDULES[name].steps(horizon) == steps


@pytest.mark.parametrize("name", SCHEDULES)
@given(horizon=horizons, step=st.integers(0, 400))
def test_a_schedule_keeps_the_steps_that_are_listed_by_hand_and_no_later_one(name, horizon, step):
    listing = replace(SCHEDULES[name], checkpoint_schedule=(step,), min_checkpoint_interval=50)
    if step > horizon.total:
        with pytest.raises(ValueError, match=r"^checkpoint_schedule\[0\]: must be at most the run's last step"):
            listing.steps(horizon)
    else:
        assert step in listing.kept(horizon)
        assert step in listing.steps(horizon)


def test_a_schedule_has_the_same_name_in_conf_and_among_the_modules():
    assert list(SCHEDULES) == names()


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_is_named_is_the_option_of_that_name(name):
    """`schedule.also=[NAME]` and `tl schedule diff NAME …` mean what `schedule=NAME` means."""
    if OmegaConf.missing_keys(OmegaConf.load(CONF / "schedule" / f"{name}.yaml")):
        with pytest.raises(ValueError, match=rf"^{name} has a setting that must be given: "):
            named(name)
    else:
        assert named(name) == SCHEDULES[name]


@pytest.mark.parametrize("name", SAMPLINGS)
@given(revisions=revisions)
def test_a_sampling_picks_in_order_from_what_there_is_with_the_last_one(name, revisions):
    sampling = SAMPLINGS[name]
    picked = (replace(sampling, revisions=(revisions[0].name, "main")) if name == "list" else sampling).pick(revisions)
    assert set(picked) <= set(revisions)
    assert list(picked) == sorted(picked, key=lambda revision: revision.step)
    assert len(set(picked)) == len(picked)
    assert picked[-1] == revisions[-1]
    if hasattr(sampling, "first"):
        assert replace(sampling, first=True).pick(revisions)[0] == revisions[0]


@pytest.mark.parametrize("name", CURRICULA)
@given(step=st.integers(0, 10**6))
def test_a_curriculum_has_one_stage_at_every_step_which_has_begun(name, step):
    stage = CURRICULA[name].stage_at(step)
    assert stage.first <= step
    assert any(weight > 0 for weight in stage.weights.values())
    assert CURRICULA[name].stage_at(stage.first) == stage


@pytest.mark.parametrize("name", OBJECTIVES)
@given(types=st.lists(st.sampled_from(["STS", "Retrieval", "Clustering"]), min_size=1, max_size=8))
def test_an_objective_weighs_every_task_and_the_weights_add_up_to_one(name, types):
    tasks = [TaskSpec(f"t{number}", "r", "test", type_, "main") for number, type_ in enumerate(types)]
    weights = OBJECTIVES[name].weights(tasks)
    assert set(weights) == {task.name for task in tasks}
    assert all(weight > 0 for weight in weights.values())
    assert sum(weights.values()) == pytest.approx(1)
