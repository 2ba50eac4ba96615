"""Which states are due, and which are kept."""

import json

import pytest
from tiny_run import PLAN, At, PowerCut, cut, plan

from tl_search.training.callbacks.best import Best
from tl_search.training.fit import fit
from tl_search.training.retention import Checkpointing


def states(run):
    return sorted((path.name for path in (run / "checkpoints").glob("step*")), key=lambda name: int(name[4:]))


def test_a_state_is_due_by_steps_or_by_the_clock():
    by_steps = Checkpointing(save_interval=4)
    assert [step for step in range(1, 13) if by_steps.due(step, minutes=1e9)] == [4, 8, 12]
    assert Checkpointing(save_interval=100, save_minutes=2).due(7, minutes=2)
    assert not Checkpointing(save_interval=100, save_minutes=2).due(7, minutes=1.9)


def test_the_newest_and_the_named_states_are_kept():
    assert Checkpointing(save_last=2).doomed([4, 8, 12, 16, 20], kept={8}) == [4, 12]
    assert Checkpointing(save_last=1).doomed([4], kept=()) == []


def test_every_nth_scheduled_state_is_kept_for_good():
    schedule = [0, 1, 2, 4, 8, 16]
    assert Checkpointing().for_good(schedule) == set()
    assert Checkpointing(every_n_scheduled=1).for_good(schedule) == {1, 2, 4, 8, 16}
    assert Checkpointing(every_n_scheduled=2).for_good(schedule) == {2, 8}


@pytest.mark.parametrize(
    ("field", "value"),
    [("save_interval", 0), ("save_last", 0), ("every_n_scheduled", 0), ("save_minutes", 0.0)],
)
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"^{field}: must be"):
        Checkpointing(**{field: value})


def test_a_run_keeps_every_second_scheduled_state_and_the_last_two(tmp_path):
    keep = Checkpointing(save_interval=4, every_n_scheduled=2)  # of 2, 6, 7, 9, 12, 13, 14
    fit(plan(tmp_path, checkpoint=keep, callbacks={}), tmp_path / "run")
    assert states(tmp_path / "run") == ["step6", "step9", "step13", "step14"]


def test_a_clock_alone_writes_states(tmp_path):
    often = Checkpointing(save_interval=1000, save_minutes=1e-9, save_last=100)
    fit(plan(tmp_path, checkpoint=often, callbacks={}, trainer={"max_steps": 3}), tmp_path / "run")
    assert states(tmp_path / "run") == ["step1", "step2", "step3"]


def test_weights_that_nobody_averages_cannot_be_written():
    import dataclasses

    from tl_search.training.retention import RevisionWeights

    with pytest.raises(ValueError, match=r"^ema_decay: must be given"):
        dataclasses.replace(PLAN, checkpoint=Checkpointing(weights=RevisionWeights.ema))


def test_what_is_kept_for_good_stays_when_the_run_goes_on_with_other_settings(tmp_path):
    keep = Checkpointing(save_interval=4, every_n_scheduled=2)
    with pytest.raises(PowerCut):
        fit(plan(tmp_path, checkpoint=keep, callbacks={"cut": At(10, cut)}), tmp_path / "run")
    fit(plan(tmp_path, callbacks={}), tmp_path / "run")
    assert states(tmp_path / "run") == ["step6", "step9", "step12", "step14"]


def test_what_a_pointer_names_stays_when_nothing_watches_it(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(PowerCut):
        fit(plan(tmp_path, callbacks={"best": Best(), "cut": At(6, cut)}), run)
    best = json.loads((run / "checkpoints" / "best.json").read_text())["name"]
    fit(plan(tmp_path, callbacks={}), run)
    assert states(run) == [best, "step12", "step14"]
