"""The steps at which revisions are written: known plans, and what holds for every plan."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.schedule import Horizon, LinearSchedule, LogMode, LogSchedule, Schedule

THREE_EPOCHS = Horizon(1000, (333, 666, 1000))

horizons = st.lists(st.integers(1, 2000), min_size=1, max_size=5, unique=True).map(
    lambda ends: Horizon(max(ends), tuple(sorted(ends)))
)
counts = st.none() | st.integers(0, 40)
schedules = st.builds(
    LogSchedule, counts, st.floats(1.01, 10), st.sampled_from(LogMode), st.integers(0, 300)
) | st.builds(LinearSchedule, counts, st.none() | st.integers(1, 500), st.integers(0, 300))


def test_log_gaps_follow_the_worked_example():
    assert LogSchedule(first_epoch_checkpoints=20).steps(THREE_EPOCHS) == (
        *(0, 17, 35, 52, 70, 87, 105, 122, 140, 157, 175, 192, 210, 227, 245, 262, 280, 297, 315, 333),
        *(334, 336, 340, 348, 364, 396, 460, 588, 666),
        *(667, 669, 673, 681, 697, 729, 793, 921, 1000),
    )


def test_linear_interval_follows_the_worked_example():
    assert LinearSchedule(first_epoch_checkpoints=5, linear_interval=50).steps(THREE_EPOCHS) == (
        *(0, 83, 166, 249, 333),
        *(334, 384, 434, 484, 534, 584, 634, 666),
        *(667, 717, 767, 817, 867, 917, 967, 1000),
    )


def test_linear_interval_is_a_tenth_of_the_epoch_when_none_is_given():
    assert LinearSchedule(first_epoch_checkpoints=None).steps(Horizon(100)) == (*range(0, 100, 10), 100)


def test_offset_mode_doubles_the_distance_from_the_epochs_start():
    schedule = LogSchedule(first_epoch_checkpoints=0, log_mode=LogMode.offset)
    assert schedule.steps(Horizon(200, (100, 200))) == (0, 100, 101, 103, 105, 109, 117, 133, 165, 200)


def test_a_single_epoch_without_a_count_of_its_own_is_spaced_by_the_log_rule():
    assert LogSchedule(first_epoch_checkpoints=None).steps(Horizon(800)) == (0, 2, 6, 14, 30, 62, 126, 254, 510, 800)


def test_interval_thins_free_steps_and_keeps_the_pinned():
    schedule = LogSchedule(first_epoch_checkpoints=None, min_checkpoint_interval=10)
    assert schedule.steps(Horizon(70, (33, 70))) == (0, 14, 33, 48, 70)


@pytest.mark.parametrize("count", [0, 1])
def test_a_first_epoch_of_no_revisions_keeps_its_two_ends(count):
    assert LinearSchedule(first_epoch_checkpoints=count).steps(Horizon(9)) == (0, 9)


@given(schedules, horizons)
def test_steps_rise_stay_within_the_run_and_keep_every_pin(schedule: Schedule, horizon: Horizon):
    steps = schedule.steps(horizon)
    assert all(earlier < later for earlier, later in pairwise(steps))
    assert steps[0] == 0
    assert steps[-1] == horizon.total
    assert set(horizon.epoch_ends) <= set(steps)


@given(schedules, horizons)
def test_thinning_leaves_no_free_step_nearer_than_the_interval(schedule, horizon: Horizon):
    for earlier, later in pairwise(schedule.steps(horizon)):
        if not {earlier, later} <= horizon.pinned:
            assert later - earlier >= schedule.min_checkpoint_interval


@given(schedules, horizons)
def test_thinning_only_takes_away(schedule, horizon: Horizon):
    fields = {name: getattr(schedule, name) for name in schedule.__dataclass_fields__}
    whole = type(schedule)(**{**fields, "min_checkpoint_interval": 0})
    assert set(schedule.steps(horizon)) <= set(whole.steps(horizon))


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        (LogSchedule, "log_base", 1.0),
        (LogSchedule, "log_base", float("nan")),
        (LogSchedule, "first_epoch_checkpoints", -1),
        (LinearSchedule, "linear_interval", 0),
        (LinearSchedule, "min_checkpoint_interval", -1),
    ],
)
def test_bad_values_are_refused_by_name(cls, field, value):
    with pytest.raises(ValueError, match=rf"^{field}: must be"):
        cls(**{field: value})


@pytest.mark.parametrize("ends", [(0, 5), (5, 5), (7, 3)])
def test_a_horizon_whose_epochs_do_not_rise_is_refused(ends):
    with pytest.raises(ValueError, match=r"^epoch_ends: must rise"):
        Horizon(10, ends)


def test_a_horizon_ends_its_last_epoch_with_the_run():
    assert Horizon(10, (4,)).epoch_ends == (4, 10)
    assert Horizon(10, (4, 25)).epoch_ends == (4, 10)
