"""The best evaluation: what counts as one, and what is kept of it."""

import json
import math
import re
from types import SimpleNamespace

import pytest
import torch
from tiny_run import At, PowerCut, Publish, context, cut, plan, same, weights

from tl_search.runs.index import read_index
from tl_search.runs.pointers import Pointer
from tl_search.store.manifest import verify
from tl_search.training.callbacks.best import Best, Mode
from tl_search.training.callbacks.best_checkpoint import BestCheckpoint
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.fit import fit


def pointer(run, name="best"):
    return json.loads((run / "checkpoints" / f"{name}.json").read_text())


def whole(run, name="best"):
    """What the pointer says, once all that it names has been read."""
    found = pointer(run, name)
    assert verify(run / "checkpoints" / found["name"])["step"] == found["step"]
    assert verify(run / "revisions" / found["revision"])["step"] == found["step"]
    return found


def test_the_best_model_loads_by_its_own_name(finished):
    from transformers import AutoModelForCausalLM

    found = whole(finished)
    line = min(read_index(finished), key=lambda line: line.eval_loss)
    assert (found["step"], found["monitor"], found["weights"]) == (line.step, "eval/loss", "raw")
    assert found["value"] == pytest.approx(line.eval_loss)
    AutoModelForCausalLM.from_pretrained(finished / "revisions" / "best", local_files_only=True)
    assert same(weights(finished, "best"), weights(finished, line.name))


def test_an_evaluation_between_scheduled_steps_is_kept_too(tmp_path):
    run = tmp_path / "run"
    values = {3: 5.0, 5: 7.0, 7: 6.5, 8: 6.0}
    asked = {"publish": Publish(values), "top": Best("plane/best", Mode.max)}
    fit(plan(tmp_path, callbacks=asked), run)
    found = whole(run, "top")
    assert (found["step"], found["value"], found["revision"]) == (5, 7.0, "top-step5")
    assert [path.name for path in (run / "revisions").glob("top-*")] == ["top-step5"]
    assert verify(run / "revisions" / "top")["step"] == 5
    state = torch.load(run / "checkpoints/step5/state.ckpt", weights_only=True)
    name = "gpt_neox.embed_in.weight"
    assert torch.equal(weights(run, "top")[name], state["state_dict"][f"model.{name}"])
    assert "top-step5" not in {line.name for line in read_index(run)}
    assert {line.name: line.measured for line in read_index(run) if line.measured} == {"step7": {"plane/best": 6.5}}


@pytest.mark.parametrize(
    ("config", "values", "best", "kept"),
    [
        (Best("m"), [5.0, 5.0, 4.0, 4.5], 2, {2}),
        (Best("m", Mode.max), [5.0, 6.0, math.inf, math.nan], 1, {1}),
        (Best("m", min_delta=0.5), [5.0, 4.6, 4.5, 4.1], 2, {2}),
        (Best("m", save_top_k=2), [5.0, 3.0, 4.0, 4.0], 1, {1, 2}),
        (Best("m"), [math.nan, 5.0], 1, {1}),
    ],
)
def test_only_what_is_strictly_better_counts(tmp_path, config, values, best, kept):
    run = context(tmp_path, range(10))
    callback, board = BestCheckpoint(config, "best", run), Measurements()
    trainer = SimpleNamespace(callbacks=[board], callback_metrics={}, loggers=[], global_step=0, is_global_zero=True)
    for trainer.global_step, value in enumerate(values):
        board.publish(trainer, {"m": value})
        callback.on_train_batch_end(trainer, None, None, None, 0)
    assert callback.best["step"] == best
    assert callback.kept.keys() == kept
    assert board.latest["best_m"][1] == callback.best["value"]


@pytest.mark.slow
def test_several_stand_side_by_side_and_a_cut_run_ends_with_the_same_files(finished, tmp_path):
    def asked(**more):
        values = {3: 5.0, 5: 7.0, 8: 6.0, 11: 9.0}
        top = Best("plane/best", Mode.max, save_top_k=2)
        return plan(finished.parent, callbacks={"best": Best(), "p": Publish(values), "top": top, **more})

    def left(run):
        return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if "checkpoints" in path.parts)

    fit(asked(), tmp_path / "whole")
    with pytest.raises(PowerCut):
        fit(asked(cut=At(10, cut)), tmp_path / "run")
    fit(asked(), tmp_path / "run")
    for name in ("best", "top"):
        assert whole(tmp_path / "run", name) == whole(tmp_path / "whole", name)
        assert same(weights(tmp_path / "run", name), weights(tmp_path / "whole", name))
    assert left(tmp_path / "run") == left(tmp_path / "whole")
    assert {"checkpoints/step5", "checkpoints/step11"} <= set(left(tmp_path / "run"))
    assert same(weights(tmp_path / "run"), weights(finished))


def test_a_cut_before_the_pointer_moves_leaves_the_old_best_and_the_next_start_mends_it(
    finished, tmp_path, monkeypatch
):
    run, lead = tmp_path / "run", Pointer.lead

    def torn(pointer, run):
        if pointer.step == 9:
            raise PowerCut
        lead(pointer, run)

    monkeypatch.setattr(Pointer, "lead", torn)
    with pytest.raises(PowerCut):
        fit(plan(finished.parent), run)
    assert whole(run)["step"] == 7
    assert (run / "checkpoints" / "step9").is_dir()
    monkeypatch.undo()
    fit(plan(finished.parent, trainer={}), run)
    assert whole(run) == whole(finished)


def test_it_says_the_new_best_and_what_was(tmp_path, capsys):
    asked = {"best": Best(), "p": Publish({2: 50.0, 3: 49.0}), "top": Best("plane/best", Mode.max)}
    fit(plan(tmp_path, trainer={"max_steps": 3}, callbacks=asked), tmp_path / "run")
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    loss = r"eval loss \d\.\d{4} · perplexity \d+\.\d"
    for found, expected in zip(
        said,
        [
            rf"step 0 · {loss} · new best",
            rf"step 2 · {loss} · new best \(was \d\.\d+ at step 0\)",
            r"step 2 · plane best 50 · new best",
            rf"step 3 · {loss} · new best \(was \d\.\d+ at step 2\)",
            r"step 3 · plane best 49 · best so far 50 at step 2",
        ],
        strict=True,
    ):
        assert re.fullmatch(expected, found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_delta": -1.0}, "^min_delta: must be"),
        ({"save_top_k": 0}, "^save_top_k: must be"),
        ({"name": "main"}, "^name: must be"),
        ({"name": "../x"}, "^name: must be"),
        ({"name": "best-step5"}, "^name: must be"),
    ],
)
def test_bad_values_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        Best(**changes)
