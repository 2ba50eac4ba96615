"""The end of a run: settled whenever it was killed, and honest when a callback brings it early."""

from dataclasses import replace

import pytest
from tiny_run import PLAN, At, PowerCut, Publish, cut, plan, same, weights

from tl_search.errors.kinds import DivergedError
from tl_search.plane.schedules.none import NoSchedule
from tl_search.runs.index import read_index
from tl_search.runs.pointers import Pointer
from tl_search.runs.states import states_of
from tl_search.store.atomic import read_json
from tl_search.store.manifest import verify
from tl_search.training.fit import fit
from tl_search.training.optim import AdamW
from tl_search.training.trainer import check_trainer

EARLY = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "eval/loss", "stopping_threshold": 100.0}


class Stop(At):
    """Asks Lightning to stop after a step."""

    def __init__(self, step):
        super().__init__(step, None)

    def on_train_batch_end(self, trainer, *_):
        trainer.should_stop = trainer.global_step == self.step


def test_a_kill_between_the_last_state_and_the_pointer_to_the_best_is_made_good(finished, tmp_path, monkeypatch):
    run, lead = tmp_path / "run", Pointer.lead
    last = read_json(finished / "checkpoints" / "best.json")
    assert last["step"] == 14

    def cut(pointer, run):
        if pointer.step == 14:
            raise PowerCut
        lead(pointer, run)

    with monkeypatch.context() as patch:
        patch.setattr(Pointer, "lead", cut)
        with pytest.raises(PowerCut):
            fit(plan(finished.parent), run)
    assert states_of(run)[0][1] == 14
    assert read_json(run / "checkpoints" / "best.json")["step"] < 14
    fit(plan(finished.parent), run)
    assert read_json(run / "checkpoints" / "best.json") == last
    assert verify(run / "revisions" / "best")["step"] == 14
    assert [step for _, step in states_of(run)] == [step for _, step in states_of(finished)]
    assert read_json(run / "DONE.json") == read_json(finished / "DONE.json")


@pytest.mark.parametrize(
    ("schedule", "interval", "end"), [(PLAN.schedule, 3, 2), (NoSchedule(), 6, 6)], ids=["log", "none"]
)
def test_early_stopping_ends_the_run_at_the_first_value_that_asks_for_it(
    finished, tmp_path, capsys, schedule, interval, end
):
    run = tmp_path / "run"
    early = plan(finished.parent, callbacks={"early": EARLY}, schedule=schedule, eval_interval=interval)
    fit(early, run)
    assert f"training ended early, at step {end} of 14: " in capsys.readouterr().err
    done = read_json(run / "DONE.json")
    assert done["step"] == end
    assert done["eval_loss"] == read_index(run)[-1].eval_loss
    assert "threshold" in done["early"]
    assert same(weights(run), weights(finished, f"step{end}"))
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    fit(early, run)  # it is done
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_early_stopping_counts_each_value_once_within_an_epoch_and_after_a_kill(finished, tmp_path):
    """Its patience ends at step 7, which has no revision of its own, within the second epoch."""
    values = {2: 5.0, 3: 4.0, 5: 4.5, 7: 4.5, 9: 1.0}
    early = {"_target_": EARLY["_target_"], "monitor": "plane/best", "mode": "min", "patience": 2}

    def asked(**more):
        return plan(finished.parent, callbacks={"p": Publish(values), "early": early, **more}, save_interval=1)

    fit(asked(), tmp_path / "whole")
    with pytest.raises(PowerCut):
        fit(asked(cut=At(6, cut)), tmp_path / "run")
    fit(asked(), tmp_path / "run")
    for run in (tmp_path / "whole", tmp_path / "run"):
        done = read_json(run / "DONE.json")
        assert (done["step"], read_index(run)[-1].step) == (7, 7)
        assert "did not improve in the last 2 records" in done["early"]
        assert same(weights(run), weights(tmp_path / "whole", "step7"))


def test_a_run_that_was_killed_when_early_stopping_had_ended_it_ends_there(finished, tmp_path, monkeypatch):
    def killed(*_):
        raise PowerCut

    early = plan(finished.parent, callbacks={"early": EARLY})
    with monkeypatch.context() as patch:
        patch.setattr("tl_search.training.fit.finish", killed)
        with pytest.raises(PowerCut):
            fit(early, tmp_path / "run")
    assert not (tmp_path / "run" / "DONE.json").exists()
    fit(early, tmp_path / "run")
    done = read_json(tmp_path / "run" / "DONE.json")
    assert done["step"] == 2
    assert "threshold" in done["early"]


def test_a_stop_between_two_revisions_is_no_end(finished, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as stopped:
        fit(plan(finished.parent, callbacks={"stop": Stop(5)}), run)
    assert stopped.value.code == 75
    assert stopped.value.__notes__[0].startswith("training was stopped at step 5 of 14, which has no revision")
    assert not (run / "DONE.json").exists()
    fit(plan(finished.parent), run)
    assert same(weights(run), weights(finished))


@pytest.mark.parametrize("interval", [1, 4])
def test_weights_that_only_the_last_save_finds_bad_tell_the_whole_story(tmp_path, interval):
    """The thread that saves finds them when no step is left in which training would hear of it."""
    wild = plan(
        tmp_path,
        optimizer=AdamW(lr=1e30, warmup_steps=0),
        schedule=NoSchedule(),
        eval_interval=14,
        callbacks={},
        save_interval=interval,
        trainer={"max_steps": 2},
    )
    good = r"the last good checkpoint is .*/checkpoints/step1" if interval == 1 else "no checkpoint was written before"
    story = rf"the weights after step 2 are not finite \(epoch 0, batch 1: blocks \d+, \d+, \d+, \d+\); {good}; a lower"
    with pytest.raises(DivergedError, match="^training diverged: " + story):
        fit(wild, tmp_path / "run")
    assert not (tmp_path / "run" / "DONE.json").exists()


@pytest.mark.parametrize(("name", "value"), [("max_time", "00:01:00:00"), ("min_steps", 3), ("min_epochs", 1)])
def test_what_would_end_a_run_elsewhere_is_refused(name, value):
    with pytest.raises(
        ValueError, match=rf"^trainer\.{name}: must be left out, since a run ends at max_steps or max_epochs"
    ):
        check_trainer({**PLAN.trainer, name: value})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("limit_train_batches", 0, r"must be an integer >= 1 \(batches\) or a share in \(0, 1\] such as 0\.5, got 0"),
        ("limit_train_batches", 1.5, r"must be an integer >= 1"),
        ("limit_train_batches", True, "must be an integer >= 1"),
        ("limit_val_batches", -1, r"must be an integer >= 0 \(batches\) or a share in \[0, 1\] such as 0\.5, got -1"),
        ("limit_val_batches", "half", "must be an integer >= 0"),
        ("limit_test_batches", 2, r"must be left out, .*; tl search scores tasks, which tasks\.names lists, got 2"),
        ("limit_predict_batches", 0.5, "must be left out, since a training predicts nothing"),
        ("overfit_batches", 2, "must be left out, .*limit_train_batches=N makes epochs of N batches"),
        ("fast_dev_run", -1, r"must be true, false or a number of steps >= 1, got -1"),
        ("fast_dev_run", 0.5, "must be true, false or a number of steps"),
    ],
)
def test_a_limit_of_batches_that_cannot_be_kept_is_one_line(name, value, said):
    with pytest.raises(ValueError, match=rf"^trainer\.{name}: {said}"):
        check_trainer({**PLAN.trainer, name: value})


def test_what_ends_and_limits_nothing_may_be_said():
    harmless = {"fast_dev_run": False, "limit_train_batches": 1.0, "limit_val_batches": None}
    check_trainer({**PLAN.trainer, **harmless, "limit_test_batches": 1.0, "overfit_batches": 0.0, "max_time": None})
    assert replace(PLAN, trainer={**PLAN.trainer, **harmless}).identity() == PLAN.identity()


def test_a_timer_is_refused_since_it_counts_the_time_before_a_resume_too(tmp_path):
    timer = {"_target_": "lightning.pytorch.callbacks.Timer", "duration": {"hours": 1}}
    with pytest.raises(ValueError, match=r"^callbacks\.timer: must not be Timer"):
        plan(tmp_path, callbacks={"timer": timer})
