"""The plane scored while it trains: the same weights, the same cells as a search's, and no more time than allowed."""

import json
import shutil
import time

import pytest
import torch
from live_run import STEPS, SUITE, curve, events, metrics, probe, tiny_run, train

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.plane.sampling import All
from tl_search.scoring import chance
from tl_search.scoring.uncertainty import resample
from tl_search.search.budget import Budget
from tl_search.search.live_plane import LivePlane
from tl_search.search.pace import Pace
from tl_search.search.run import run_search
from tl_search.store.atomic import read_json
from tl_search.training.callbacks.best import Best, Mode


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def watched(tiny, tmp_path_factory):
    """A run of which every checkpoint was scored, and whose best plane was kept; only to be read."""
    folder = tmp_path_factory.mktemp("watched")
    best = Best(monitor="plane/best", mode=Mode.max)
    train(folder, callbacks={"plane_probe": probe(folder), "best": best})
    return folder


@pytest.mark.slow
def test_the_weights_are_those_of_a_run_that_nobody_watched(watched, tmp_path):
    train(tmp_path, callbacks={})
    for step in STEPS:
        name = f"step{step}"
        assert tiny_run.same(tiny_run.weights(watched / "run", name), tiny_run.weights(tmp_path / "run", name))
    states = [folder / "run" / "checkpoints" / "step14" / "state.ckpt" for folder in (watched, tmp_path)]
    first, second = (torch.load(path, weights_only=False) for path in states)
    for key in ("optimizer_states", "lr_schedulers"):
        assert str(first[key]) == str(second[key])


@pytest.mark.slow
def test_a_search_of_the_run_finds_every_cell_scored(watched, plan, tmp_path, monkeypatch):
    source = RunCheckpoints(str(watched / "run"))
    everything = {"bandit": Exhaustive(), "sampling": All(), "budget": Budget(share=None)}
    shutil.copytree(watched / "ledger", tmp_path / "ledger")  # a search adds confirmation scores of its own
    places = {"ledger": tmp_path / "ledger", "embeddings": watched / "embeddings"}
    scored, score = [], resample.estimate_cell

    def estimate(arm, task, vectors):
        scored.append(arm.model)
        return score(arm, task, vectors)

    monkeypatch.setattr(resample, "estimate_cell", estimate)
    run_search(plan(checkpoints=source, tasks=SUITE, **everything, **places), tmp_path / "search")
    assert set(scored) <= {chance.MODEL}  # what random vectors reach on confirmation data
    assert read_json(tmp_path / "search" / "result.json")["arms_scored"] == 3 * len(STEPS)


def test_the_best_layer_of_every_checkpoint_is_drawn_and_decides_what_is_kept(watched):
    best = curve(watched / "run", "plane/best")
    layers = [curve(watched / "run", f"plane/objective/layer_{layer:03d}") for layer in range(3)]
    assert best == {step: max(layer[step] for layer in layers) for step in STEPS}
    for step, number in curve(watched / "run", "plane/best_layer").items():
        assert layers[int(number)][step] == best[step]
    pointer = read_json(watched / "run" / "checkpoints" / "best.json")
    assert best[pointer["step"]] == max(best.values()) == pytest.approx(pointer["value"], abs=1e-3)
    assert [image.step for image in events(watched / "run").Images("plane/picture")] == STEPS
    assert len(curve(watched / "run", "plane/TinySTS")) == len(STEPS)


def test_confirmation_data_are_never_looked_at(watched):
    cells = [json.loads(path.read_text()) for path in (watched / "ledger").glob("??/*.json")]
    assert {cell["cell"]["identity"]["split"] for cell in cells if "cell" in cell} == {"selection"}


@pytest.mark.slow
def test_what_there_is_no_time_for_is_scored_in_the_end(tiny, tmp_path):
    train(tmp_path, share=1e-9)
    assert set(curve(tmp_path / "run", "plane/best")) == set(STEPS)


@pytest.mark.slow
def test_what_is_never_scored_is_said(tiny, tmp_path, caplog):
    train(tmp_path, share=1e-9, final_seconds=0.0)
    assert set(curve(tmp_path / "run", "plane/best")) == {0}  # the first costs nothing in advance
    assert "step 2, 6, 7, 9, 12, 13, 14 were not measured" in caplog.text
    assert "a search measures them" in caplog.text


@pytest.mark.slow
def test_a_resumed_run_knows_what_was_put_off(tiny, tmp_path):
    slow = probe(tmp_path, share=1e-9)
    stop = tiny_run.At(11, tiny_run.cut)
    with pytest.raises(tiny_run.PowerCut):
        train(tmp_path, callbacks={"plane_probe": slow, "stop": stop})
    assert set(curve(tmp_path / "run", "plane/best")) == {0}
    train(tmp_path, callbacks={"plane_probe": slow})
    assert set(curve(tmp_path / "run", "plane/best")) == set(STEPS)


@pytest.mark.slow
def test_steps_between_checkpoints_are_scored_where_asked(tiny, tmp_path):
    train(tmp_path, every=6)
    assert set(curve(tmp_path / "run", "plane/best")) == {0, 6, 12, 14}


@pytest.mark.slow
def test_one_monitors_what_time_may_leave_out_with_a_warning(tiny, tmp_path, caplog):
    best = Best(monitor="plane/best", mode=Mode.max)
    callbacks = {"plane_probe": probe(tmp_path, share=0.9), "best": best}
    train(tmp_path, callbacks=callbacks, plan={"trainer": {"max_steps": 1}})
    assert "plane/best: measured only where share=0.9 leaves time" in caplog.text


def test_metrics_of_every_layer_are_logged(tiny, tmp_path):
    train(tmp_path, callbacks={"representation_metrics": metrics()}, plan={"trainer": {"max_steps": 2}})
    for layer in range(3):
        drawn = curve(tmp_path / "run", f"metrics/rankme/layer_{layer:03d}")
        assert set(drawn) == {0, 2}
        assert all(value > 1 for value in drawn.values())
    kept = read_json(tmp_path / "run/cache/metrics/run/step2/layer_002.json")
    assert kept["metrics"]["rankme"] == pytest.approx(drawn[2], rel=1e-5)


def test_all_that_a_look_takes_counts_as_its_time(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(LivePlane, "measure", lambda *_: time.sleep(0.1) or {}["failed"])
    train(tmp_path / "failed", plan={"trainer": {"max_steps": 2}})
    monkeypatch.setattr(LivePlane, "measure", lambda *_: {"TinyPairs": [50.0], "TinySTS": [50.0]})
    monkeypatch.setattr(LivePlane, "show", lambda *_: time.sleep(0.1))
    train(tmp_path / "shown", plan={"trainer": {"max_steps": 2}})
    for run in ("failed", "shown"):
        state = tmp_path / run / "run" / "checkpoints" / "step2" / "state.ckpt"
        assert torch.load(state, weights_only=True)["callbacks"]["LivePlane"]["spent"] > 0.2  # of two looks


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0.0}, "share: must be above 0 and at most 1, or null, got 0.0"),
        ({"every": 0}, "every: must be >= 1 or null, got 0"),
        ({"final_seconds": -1.0}, "final_seconds: must be a finite number >= 0, got -1.0"),
    ],
)
def test_a_pace_that_cannot_be_kept_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Pace(**wrong)


def test_a_look_waits_until_the_time_of_earlier_ones_is_paid_for():
    pace = Pace(share=0.2)
    assert pace.allows(spent=0.0, elapsed=0.0)
    assert not pace.allows(spent=3.0, elapsed=14.9)
    assert pace.allows(spent=3.0, elapsed=15.0)
    assert Pace(share=None).allows(spent=1e9, elapsed=0.0)
