"""Which stage holds at a step, and which lists of stages are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.curriculum import Curriculum, Stage, placed

lengths = st.lists(st.integers(1, 500), min_size=1, max_size=6)


def of_lengths(lengths):
    return Curriculum({f"s{number}": Stage(steps=length) for number, length in enumerate(lengths)})


def test_a_stage_holds_from_its_first_step_to_the_next_ones():
    curriculum = Curriculum({"warm": Stage("warm"), "late": Stage("late", start=10)})
    assert [curriculum.stage_at(step).name for step in (0, 9, 10, 10_000)] == ["warm", "warm", "late", "late"]


@given(lengths, st.integers(0, 4000))
def test_the_stage_is_the_latest_that_has_started(lengths, step):
    firsts = [sum(lengths[:number]) for number in range(len(lengths))]
    found = of_lengths(lengths).stage_at(step)
    assert found.first == max(first for first in firsts if first <= step)
    assert found.name == f"s{of_lengths(lengths).index_at(step)}"


@given(lengths)
def test_lengths_and_first_steps_say_the_same(lengths):
    by_start = {f"s{n}": Stage(start=sum(lengths[:n])) for n in range(len(lengths))}
    assert Curriculum(by_start) == of_lengths(lengths)


def test_the_last_stage_holds_to_the_end_whatever_its_length():
    assert of_lengths([5, 5]).stage_at(1000).name == "s1"


def test_a_name_that_is_left_out_is_the_key():
    assert Curriculum({"warm": Stage()}).stage_at(0).name == "warm"


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ({}, "stages: must hold a stage, got none"),
        ({"a": Stage(start=1)}, "stages.a.start: must be 0 for the first stage, or null, got 1"),
        ({"a": Stage(start=0), "b": Stage(start=0)}, "stages.b.start: must be > 0, where a starts, got 0"),
        (
            {"a": Stage(), "b": Stage(start=5), "c": Stage(start=3)},
            "stages.c.start: must be > 5, where b starts, got 3",
        ),
        (
            {"a": Stage(steps=10), "b": Stage(start=9)},
            "stages.b.start: overlaps with a, which ends at step 10, got 9; null starts it there",
        ),
        (
            {"a": Stage(steps=10), "b": Stage(start=13)},
            "stages.b.start: leaves 3 steps without a stage after a, which ends at step 10, got 13; "
            "null starts it there",
        ),
        ({"a": Stage(), "b": Stage()}, "stages.a.steps: must be given, since stages.b.start is null"),
    ],
)
def test_stages_that_overlap_or_leave_a_gap_are_refused(stages, said):
    with pytest.raises(ValueError) as told:  # the whole message is compared
        Curriculum(stages)
    assert str(told.value) == said


@pytest.mark.parametrize("steps", [0, -5])
def test_a_length_is_positive(steps):
    with pytest.raises(ValueError, match=rf"^steps: must be >= 1, got {steps}$"):
        Stage("s", steps=steps)


@pytest.mark.parametrize("weight", [-0.1, float("inf"), float("nan")])
def test_a_weight_is_finite_and_not_negative(weight):
    with pytest.raises(ValueError, match=r"^weights\.next_token: must be a finite number >= 0"):
        Stage("s", weights={"next_token": weight})


def test_a_config_that_says_the_same_in_another_way_is_placed_the_same():
    spoken = {"stages": {"a": {"steps": 3, "data": {"noise": None}}, "b": {"weights": {"next_token": 2.0}}}}
    written = {
        "stages": {
            "a": {"name": "a", "start": 0, "weights": {"next_token": 1.0}, "data": {}},
            "b": {"start": 3, "steps": 40, "weights": {"next_token": 2.0}},
        }
    }
    assert placed(spoken) == placed(written)


def test_what_is_no_curriculum_yet_is_left_to_who_builds_it():
    for node in ({}, {"stages": 3}, {"stages": {"a": 3}}, {"stages": {"a": {"start": "x"}}}):
        assert placed(node) is node
