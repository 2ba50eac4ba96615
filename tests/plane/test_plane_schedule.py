"""The steps at which revisions are written: known plans, and what holds for every plan."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import FirstEpoch, SpacedSchedule, named, names, warning
from tl_search.plane.schedules.every import EverySchedule
from tl_search.plane.schedules.explicit import ExplicitSchedule
from tl_search.plane.schedules.linear import LinearSchedule
from tl_search.plane.schedules.log import LogMode, LogSchedule
from tl_search.plane.schedules.none import NoSchedule
from tl_search.plane.schedules.pythia import PythiaSchedule

THREE_EPOCHS = Horizon(1000, (333, 666, 1000))
NAMES = [name for name in names() if name != "explicit"]  # which needs steps to be listed

horizons = st.lists(st.integers(1, 2000), min_size=1, max_size=5, unique=True).map(
    lambda ends: Horizon(max(ends), tuple(sorted(ends)))
)
counts = st.none() | st.just(FirstEpoch.auto) | st.integers(0, 40)
rules = st.one_of(
    st.builds(LogSchedule, counts, st.floats(1.001, 10), st.sampled_from(LogMode)),
    st.builds(LinearSchedule, counts, st.none() | st.integers(1, 500)),
    st.builds(PythiaSchedule, st.integers(1, 2000), st.booleans()),
    st.builds(EverySchedule, st.integers(1, 500)),
    st.builds(NoSchedule),
)


@st.composite
def runs(draw):
    """A schedule of any kind, with what it may be joined with, and a horizon that its listed steps lie in."""
    horizon = draw(horizons)
    step = st.integers(0, horizon.total)
    joined = st.lists(step | st.sampled_from(NAMES) | rules, max_size=3).map(tuple)
    listed = st.lists(step, unique=True, max_size=5).map(lambda steps: tuple(sorted(steps)))
    more = {"min_checkpoint_interval": draw(st.integers(0, 300)), "also": draw(joined)}
    return replace(draw(rules), checkpoint_schedule=draw(listed), **more), horizon


def test_log_gaps_follow_the_worked_example():
    assert LogSchedule(first_epoch_checkpoints=20).steps(THREE_EPOCHS) == (
        *(0, 17, 35, 52, 70, 87, 105, 122, 140, 157, 175, 192, 210, 227, 245, 262, 280, 297, 315, 333),
        *(334, 336, 340, 348, 364, 396, 460, 588, 666),
        *(667, 669, 673, 681, 697, 729, 793, 921, 1000),
    )


def test_the_default_is_twenty_in_the_first_of_several_epochs_and_the_rule_in_an_only_one():
    assert LogSchedule().steps(THREE_EPOCHS) == LogSchedule(first_epoch_checkpoints=20).steps(THREE_EPOCHS)
    assert LogSchedule().steps(Horizon(800)) == (0, 2, 6, 14, 30, 62, 126, 254, 510, 800)
    assert LinearSchedule(linear_interval=50).steps(Horizon(120)) == (0, 50, 100, 120)


def test_linear_interval_follows_the_worked_example():
    assert LinearSchedule(first_epoch_checkpoints=5, linear_interval=50).steps(THREE_EPOCHS) == (
        *(0, 83, 166, 249, 333),
        *(334, 384, 434, 484, 534, 584, 634, 666),
        *(667, 717, 767, 817, 867, 917, 967, 1000),
    )


def test_pythia_has_the_154_steps_of_the_suite():
    steps = PythiaSchedule().steps(Horizon(143_000))
    assert steps == (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *range(1000, 143_001, 1000))
    assert len(steps) == 154


def test_pythia_shrinks_with_the_run_on_request():
    assert PythiaSchedule().steps(Horizon(1430)) == (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1430)
    assert PythiaSchedule(scale=True).steps(Horizon(1430)) == (0, 1, 2, 5, *range(10, 1431, 10))
    assert PythiaSchedule(scale=True).steps(Horizon(286_000))[:6] == (0, 2, 4, 8, 16, 32)


def test_pythia_doubles_until_it_reaches_the_interval():
    assert PythiaSchedule(linear_interval=100).steps(Horizon(400)) == (0, 1, 2, 4, 8, 16, 32, 64, 100, 200, 300, 400)
    assert PythiaSchedule(linear_interval=64).steps(Horizon(192)) == (0, 1, 2, 4, 8, 16, 32, 64, 128, 192)


def test_linear_interval_is_a_tenth_of_the_epoch_when_none_is_given():
    tenths = LinearSchedule(first_epoch_checkpoints=None)
    assert tenths.steps(Horizon(100)) == (*range(0, 100, 10), 100)
    assert tenths.steps(Horizon(198, (99, 198))) == (*range(0, 99, 9), 99, *range(100, 198, 9), 198)


def test_every_counts_over_the_whole_run_where_linear_begins_anew():
    horizon = Horizon(100, (45, 100))
    assert EverySchedule(30).steps(horizon) == (0, 30, 45, 60, 90, 100)
    assert LinearSchedule(None, 30).steps(horizon) == (0, 30, 45, 46, 76, 100)


def test_explicit_has_the_listed_steps_and_the_pinned():
    assert ExplicitSchedule(checkpoint_schedule=(7, 8)).steps(Horizon(100, (45, 100))) == (0, 7, 8, 45, 100)


def test_none_has_the_final_model_only():
    assert NoSchedule().steps(THREE_EPOCHS) == (1000,)
    assert NoSchedule(also=(3,)).steps(THREE_EPOCHS) == (3, 1000)


def test_without_generation_only_listed_and_pinned_steps_are_left():
    schedule = LogSchedule(auto_generate_checkpoints=False, checkpoint_schedule=(5, 6), min_checkpoint_interval=50)
    assert schedule.steps(THREE_EPOCHS) == (0, 5, 6, 333, 666, 1000)


def test_offset_mode_doubles_the_distance_from_the_epochs_start():
    schedule = LogSchedule(first_epoch_checkpoints=None, log_mode=LogMode.offset)
    offsets = (2, 4, 8, 16, 32, 64)
    assert schedule.steps(Horizon(200, (100, 200))) == (0, *offsets, 100, *(101 + step for step in offsets), 200)


def test_a_single_epoch_without_a_count_of_its_own_is_spaced_by_the_log_rule():
    assert LogSchedule(first_epoch_checkpoints=None).steps(Horizon(800)) == (0, 2, 6, 14, 30, 62, 126, 254, 510, 800)


def test_interval_thins_free_steps_and_keeps_the_pinned():
    schedule = LogSchedule(first_epoch_checkpoints=None, min_checkpoint_interval=10)
    assert schedule.steps(Horizon(70, (33, 70))) == (0, 14, 33, 48, 70)


def test_also_joins_steps_names_and_schedules():
    schedule = EverySchedule(50, also=("pythia", 33, LinearSchedule(None, 40)))
    assert schedule.steps(Horizon(100)) == (0, 1, 2, 4, 8, 16, 32, 33, 40, 50, 64, 80, 100)


def test_also_keeps_what_the_joined_schedule_lists_however_close():
    listed = ExplicitSchedule(checkpoint_schedule=(48, 49))
    assert EverySchedule(50, min_checkpoint_interval=20, also=(listed, 47)).steps(Horizon(100)) == (0, 47, 48, 49, 100)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("cls", [LinearSchedule, LogSchedule])
def test_a_first_epoch_of_no_revisions_keeps_its_end_only(cls, count):
    assert cls(first_epoch_checkpoints=count).steps(Horizon(9)) == (9,)
    assert cls(first_epoch_checkpoints=count).steps(Horizon(10, (8, 10))) == (8, 9, 10)
    assert cls(first_epoch_checkpoints=count, checkpoint_schedule=(0, 3)).steps(Horizon(9)) == (0, 3, 9)
    assert cls(first_epoch_checkpoints=count, also=(EverySchedule(9),)).steps(Horizon(9)) == (0, 9)


@given(runs())
def test_steps_rise_stay_within_the_run_and_keep_what_must_stay(run: tuple[SpacedSchedule, Horizon]):
    schedule, horizon = run
    steps = schedule.steps(horizon)
    assert all(earlier < later for earlier, later in pairwise(steps))
    assert steps[0] >= 0
    assert steps[-1] == horizon.total
    listed = {entry for entry in schedule.also if isinstance(entry, int)}
    pinned = {horizon.total} if isinstance(schedule, NoSchedule) else {0, *horizon.epoch_ends}
    if getattr(schedule, "first_epoch_checkpoints", None) in (0, 1):
        pinned = set(horizon.epoch_ends)
        others = [entry for entry in schedule.also if isinstance(entry, str | SpacedSchedule)]
        assert 0 not in steps or others or 0 in (*listed, *schedule.checkpoint_schedule)
    assert {*pinned, *listed, *schedule.checkpoint_schedule} <= schedule.kept(horizon) <= set(steps)


@given(runs())
def test_thinning_leaves_no_free_step_nearer_than_the_interval(run: tuple[SpacedSchedule, Horizon]):
    schedule, horizon = run
    kept = schedule.kept(horizon)
    for earlier, later in pairwise(schedule.steps(horizon)):
        assert {earlier, later} <= kept or later - earlier >= schedule.min_checkpoint_interval


@given(runs())
def test_thinning_only_takes_away_from_the_union(run: tuple[SpacedSchedule, Horizon]):
    schedule, horizon = run
    whole = set(replace(schedule, min_checkpoint_interval=0).steps(horizon))
    assert set(schedule.steps(horizon)) <= whole
    alone = set(replace(schedule, min_checkpoint_interval=0, also=()).steps(horizon))
    others = [named(entry) if isinstance(entry, str) else entry for entry in schedule.also]
    joined = ({other} if isinstance(other, int) else set(other.steps(horizon)) for other in others)
    assert whole == alone.union(*joined)


@pytest.mark.parametrize(
    ("cls", "field", "value", "bound"),
    [
        (LogSchedule, "log_base", 1.0, "> 1, got 1"),
        (LogSchedule, "log_base", 0.5, "> 1, got 0.5"),
        (LogSchedule, "log_base", float("nan"), "> 1, got nan"),
        (LogSchedule, "log_base", 1.0000001, ">= 1.001, got 1.0000001"),
        (LogSchedule, "first_epoch_checkpoints", -1, ">= 0, got -1"),
        (LogSchedule, "first_epoch_checkpoints", 10**9, "<= 1,000,000, got 1000000000"),
        (LinearSchedule, "linear_interval", 0, ">= 1, got 0"),
        (LinearSchedule, "min_checkpoint_interval", -1, ">= 0, got -1"),
        (PythiaSchedule, "linear_interval", 0, ">= 1, got 0"),
        (EverySchedule, "interval", -5, ">= 1, got -5"),
    ],
)
def test_bad_values_are_refused_by_name(cls, field, value, bound):
    with pytest.raises(ValueError, match=rf"^{field}: must be {bound}$"):
        cls(**{field: value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"checkpoint_schedule": (5, 30, 20)}, "checkpoint_schedule[2]: must be above 30, the step before it, got 20"),
        ({"checkpoint_schedule": (5, 5)}, "checkpoint_schedule[1]: must be above 5, the step before it, got 5"),
        ({"checkpoint_schedule": (-1, 5)}, "checkpoint_schedule[0]: must be >= 0, got -1"),
        ({"also": (3, -1)}, "also[1]: must be >= 0, got -1"),
        ({"also": ("pythai",)}, "also[0]: must be the name of a schedule (every, explicit, linear, log, none, pythia)"),
        ({"also": (3, "explicit")}, "also[1]: explicit has a setting that must be given: checkpoint_schedule: must"),
        ({"auto_generate_checkpoints": False}, "checkpoint_schedule: must list steps when auto_generate_checkpoints"),
    ],
)
def test_a_bad_list_names_the_first_offence_and_its_place(given, message):
    with pytest.raises(ValueError) as caught:
        LogSchedule(**given)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (ExplicitSchedule(checkpoint_schedule=(3, 99, 101)), "checkpoint_schedule[2]: must be at most the run's last"),
        (NoSchedule(also=(101,)), "also[0]: must be at most the run's last step, 100, got 101"),
        (
            EverySchedule(also=("log", NoSchedule(also=(3, ExplicitSchedule(checkpoint_schedule=(101,)))))),
            "also[1].also[1].checkpoint_schedule[0]: must be at most the run's last step, 100, got 101",
        ),
    ],
)
def test_a_listed_step_that_the_run_does_not_reach_is_refused(schedule, message):
    with pytest.raises(ValueError) as caught:
        schedule.steps(Horizon(100))
    assert str(caught.value).startswith(message)


def test_an_absurd_number_of_checkpoints_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match=r"^interval: must leave at most 1000000 checkpoints in \d+ steps, got 1$"):
        EverySchedule(1).steps(Horizon(10**12))


@pytest.mark.parametrize("schedule", [LogSchedule(None, 1.001), LinearSchedule(0, 1)])
def test_an_absurd_number_of_checkpoints_over_all_epochs_is_refused_on_the_way(schedule):
    epochs = Horizon(10**9, tuple(range(900_000, 10**9, 900_000)))
    with pytest.raises(ValueError, match=r"^auto_generate_checkpoints: must be false where it makes more than 1000000"):
        schedule.steps(epochs)


def test_any_length_in_one_epoch_is_spaced_at_once():
    assert len(LogSchedule(first_epoch_checkpoints=None).steps(Horizon(10**12))) == 40
    assert len(LinearSchedule(first_epoch_checkpoints=20).steps(Horizon(10**12))) == 20


def test_an_interval_longer_than_every_epoch_is_worth_a_warning():
    said = "500 steps are more than the longest epoch has; of 13 checkpoints it leaves 4, the pinned and listed ones"
    assert said in str(warning(EverySchedule(min_checkpoint_interval=500), THREE_EPOCHS))
    assert warning(EverySchedule(min_checkpoint_interval=300), THREE_EPOCHS) is None


@pytest.mark.parametrize(
    "schedule", [NoSchedule(min_checkpoint_interval=500), EverySchedule(5000, min_checkpoint_interval=500)]
)
def test_an_interval_that_takes_nothing_away_needs_no_warning(schedule):
    assert warning(schedule, THREE_EPOCHS) is None


@pytest.mark.parametrize("ends", [(0, 5), (5, 5), (7, 3)])
def test_a_horizon_whose_epochs_do_not_rise_is_refused(ends):
    with pytest.raises(ValueError, match=r"^epoch_ends: must rise"):
        Horizon(10, ends)


def test_a_horizon_ends_its_last_epoch_with_the_run():
    assert Horizon(10, (4,)).epoch_ends == (4, 10)
    assert Horizon(10, (4, 25)).epoch_ends == (4, 10)
    assert Horizon(10, (4,)).epochs == ((0, 4), (5, 10))
