"""Which stage holds at a step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.curriculum import Curriculum, Stage

starts = st.lists(st.integers(1, 1000), unique=True, max_size=6).map(lambda later: [0, *sorted(later)])


def test_a_stage_holds_from_its_first_step_to_the_next_ones():
    curriculum = Curriculum({"warm": Stage("warm"), "late": Stage("late", start=10)})
    assert [curriculum.stage_at(step).name for step in (0, 9, 10, 10_000)] == ["warm", "warm", "late", "late"]


@given(starts, st.integers(0, 2000))
def test_the_stage_is_the_latest_that_has_started(starts, step):
    curriculum = Curriculum({str(start): Stage(str(start), start=start) for start in starts})
    assert curriculum.stage_at(step).start == max(start for start in starts if start <= step)


@pytest.mark.parametrize("starts", [[], [1], [0, 0], [0, 5, 3]])
def test_starts_must_rise_from_zero(starts):
    with pytest.raises(ValueError, match=r"^stages: starts must rise from 0"):
        Curriculum({str(number): Stage("s", start=start) for number, start in enumerate(starts)})


@pytest.mark.parametrize("weight", [-0.1, float("inf"), float("nan")])
def test_a_weight_is_finite_and_not_negative(weight):
    with pytest.raises(ValueError, match=r"^losses\.next_token: must be a finite number >= 0"):
        Stage("s", losses={"next_token": weight})
