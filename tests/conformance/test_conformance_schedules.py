"""What every schedule and every sampling must keep. A new one joins by its file in conf/."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tl_search.cli.config.build import build
from tl_search.plane.horizon import Horizon
from tl_search.plane.revision import Revision

CONF = Path(__file__).parents[2] / "conf"
GAPS = {("schedule", "explicit"): {"checkpoint_schedule": [1]}}  # what an option cannot know by itself
FINAL_ONLY = {"none"}  # schedules that promise the last step and no other


def made(group):
    """Option → object, built as the command line builds it."""
    objects = {}
    for path in sorted((CONF / group).glob("*.yaml")):
        node = OmegaConf.merge(OmegaConf.load(path), GAPS.get((group, path.stem), {}))
        objects[path.stem] = build(OmegaConf.create({group: node}))[group]
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
def test_a_schedule_is_sorted_unique_in_bounds_and_keeps_what_is_pinned(name, horizon):
    steps = SCHEDULES[name].steps(horizon)
    assert list(steps) == sorted(set(steps))
    assert steps[0] >= 0
    assert ({horizon.total} if name in FINAL_ONLY else horizon.pinned) <= set(steps)
    assert steps[-1] == horizon.total
    assert SCHEDULES[name].steps(horizon) == steps


@pytest.mark.parametrize("name", SAMPLINGS)
@given(revisions=revisions)
def test_a_sampling_picks_in_order_from_what_there_is_with_both_ends(name, revisions):
    picked = SAMPLINGS[name].pick(revisions)
    assert set(picked) <= set(revisions)
    assert list(picked) == sorted(picked, key=lambda revision: revision.step)
    assert len(set(picked)) == len(picked)
    assert (picked[0], picked[-1]) == (revisions[0], revisions[-1])


@pytest.mark.parametrize("name", CURRICULA)
@given(step=st.integers(0, 10**6))
def test_a_curriculum_has_one_stage_at_every_step_which_has_begun(name, step):
    stage = CURRICULA[name].stage_at(step)
    assert stage.start <= step
    assert any(weight > 0 for weight in stage.losses.values())
    assert CURRICULA[name].stage_at(stage.start) == stage


@pytest.mark.parametrize("name", OBJECTIVES)
@given(types=st.lists(st.sampled_from(["STS", "Retrieval", "Clustering"]), min_size=1, max_size=8))
def test_an_objective_weighs_every_task_and_the_weights_add_up_to_one(name, types):
    from tl_search.plane.pull import TaskSpec

    tasks = [TaskSpec(f"t{number}", "r", "test", type_, "main") for number, type_ in enumerate(types)]
    weights = OBJECTIVES[name].weights(tasks)
    assert set(weights) == {task.name for task in tasks}
    assert all(weight > 0 for weight in weights.values())
    assert sum(weights.values()) == pytest.approx(1)
