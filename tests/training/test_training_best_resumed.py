"""The best evaluation of a run that goes on, perhaps with other settings."""

import json
import shutil
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pytest
from test_training_best import Publish, pointer, whole
from tiny_run import PLAN, At, PowerCut, context, cut, plan

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.training.callbacks.best import Best, Mode
from tl_search.training.callbacks.best_checkpoint import BestCheckpoint
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.data import Text
from tl_search.training.fit import fit


def cut_at(step, finished, run, **changes):
    callbacks = {**changes.pop("callbacks", PLAN.callbacks), "cut": At(step, cut)}
    with pytest.raises(PowerCut):
        fit(plan(finished.parent, callbacks=callbacks, **changes), run)


def test_another_measurement_begins_anew_and_takes_over_the_name(finished, tmp_path):
    run = tmp_path / "run"
    cut_at(10, finished, run)
    assert pointer(run)["monitor"] == "eval/loss"
    other = {"p": Publish({11: 1e9, 12: 1e8}), "best": Best("plane/best", Mode.max)}
    fit(plan(finished.parent, callbacks=other), run)
    found = whole(run)
    assert (found["step"], found["monitor"], found["revision"]) == (11, "plane/best", "best-step11")
    assert [path.name for path in (run / "revisions").glob("best-*")] == ["best-step11"]


def test_a_best_that_nobody_watches_any_more_stays(finished, tmp_path):
    run = tmp_path / "run"
    cut_at(8, finished, run)
    before = whole(run)
    fit(plan(finished.parent, callbacks={"top": Best()}), run)
    assert whole(run) == before
    assert whole(run, "top")["step"] > before["step"]


def test_a_kill_before_the_older_model_is_removed_is_mended_at_the_next_start(finished, tmp_path):
    run = tmp_path / "run"
    cut_at(8, finished, run)
    shutil.copytree(run / "revisions" / "step0", run / "revisions" / "best-step3")
    cut_at(9, finished, run)  # no better evaluation in between
    assert not (run / "revisions" / "best-step3").exists()


def test_a_best_that_is_gone_is_forgotten(finished, tmp_path):
    """The newest state, which is the best, is damaged; the one before remembers a best that made room for it."""
    run, seen = tmp_path / "run", []
    cut_at(10, finished, run)
    assert pointer(run)["step"] == 9
    state = run / "checkpoints" / "step9" / "state.ckpt"
    state.write_bytes(state.read_bytes()[:-1])
    look = At(9, lambda: seen.append((run / "checkpoints" / "best.json").exists()))
    with pytest.warns(UserWarning, match=r"step9.*step8"):
        fit(plan(finished.parent, callbacks={**PLAN.callbacks, "look": look}), run)
    assert seen == [False]  # rather than leading nowhere
    assert whole(run) == whole(finished)


def test_fewer_states_are_kept_when_fewer_are_asked_for(tmp_path):
    run = context(tmp_path, range(10))
    many, board = BestCheckpoint(Best("m", save_top_k=3), "best", run), Measurements()
    trainer = SimpleNamespace(callbacks=[board], callback_metrics={}, loggers=[], global_step=0, is_global_zero=True)

    def see(callback, value):
        board.publish(trainer, {"m": value})
        callback.on_train_batch_end(trainer, None, None, None, 0)
        trainer.global_step += 1

    for value in (5.0, 4.0, 3.0):
        see(many, value)
    few = BestCheckpoint(Best("m"), "best", run)
    few.load_state_dict(json.loads(json.dumps(many.state_dict())))
    see(few, 2.0)
    assert few.kept == {3: 2.0}


def test_an_entry_may_be_named_as_if_it_were_a_step_of_another(finished, tmp_path):
    asked = {"best-steps": Best("plane/best", Mode.max), "p": Publish({3: 1.0}), **PLAN.callbacks}
    fit(plan(finished.parent, callbacks=asked), tmp_path / "run")
    assert whole(tmp_path / "run", "best-steps")["step"] == 3
    assert whole(tmp_path / "run") == whole(finished)


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (
            {"a": Best(name="x"), "x": Best()},
            r"^callbacks\.x\.name: must be another name than that of callbacks\.a, got 'x'",
        ),
        ({"step5": Best()}, r"^callbacks\.step5\.name: must be"),
    ],
)
def test_two_entries_cannot_share_a_folder(callbacks, message):
    with pytest.raises(ValueError, match=message):
        replace(PLAN, callbacks=callbacks)


WHOLE = Curriculum({"whole": Stage("whole")})  # PLAN's second stage would be warned of, since it never begins


def test_a_measurement_that_nobody_makes_is_told_with_the_nearest(finished, tmp_path):
    asked = {"callbacks": {"top": Best("eval/los")}, "curriculum": WHOLE, "trainer": {"max_steps": 3}}
    told = r"^callbacks\.top\.monitor: .*eval/los.*mean eval/loss\?.*eval/perplexity"
    with pytest.warns(UserWarning, match=told) as said:
        fit(plan(finished.parent, **asked), tmp_path / "run")
    assert len(said) == 1


def test_without_held_out_text_the_default_says_nothing(tmp_path):
    text = Text(plan(tmp_path).data.corpus, 4, validation_share=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(plan(tmp_path, data=text, curriculum=WHOLE, trainer={"max_steps": 3}), tmp_path / "run")


def test_the_best_of_a_measurement_named_best_has_a_name_of_its_own(finished, tmp_path):
    boards = []

    class Look(Publish):
        def on_train_end(self, trainer, *_):
            boards.append(Measurements.of(trainer).latest)

    asked = {"p": Look({1: 5.0, 2: 4.0}), "top": Best("plane/best", Mode.max)}
    fit(plan(finished.parent, callbacks=asked, trainer={"max_steps": 2}), tmp_path / "run")
    assert boards[0]["plane/best_so_far"] == (2, 5.0)
    assert "plane/best_best" not in boards[0]
