"""Whatever happens to a look at the plane, training goes on, and nothing is left out without a word."""

import shutil

import live_run
import pytest
import tiny_run
import torch
from live_run import STEPS, SUITE, curve, metrics, probe, train

from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import CategoryMean, Mean
from tl_search.probe.config import ProbeConfig
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.scoring.suites import Suite
from tl_search.scoring.uncertainty import resample
from tl_search.search.column import LocalWorker
from tl_search.search.live_columns import LiveColumns
from tl_search.search.live_plane import LivePlane
from tl_search.store.atomic import read_json
from tl_search.training.optim import AdamW

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

SHORT = {"trainer": {"max_steps": 2}}  # two checkpoints: 0 and 2


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory.\nTried to"), "OutOfMemoryError: CUDA out of memory. Tried to"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (ValueError("no vectors"), "no vectors"),
    ],
)
def test_a_look_that_fails_costs_its_column_and_one_line(tiny, tmp_path, caplog, monkeypatch, error, said):
    real = LocalWorker.run_column

    def failing(worker, job):
        if job.revision.step == 0:
            raise error
        return real(worker, job)

    monkeypatch.setattr(LocalWorker, "run_column", failing)
    train(tmp_path, plan=SHORT)
    assert (tmp_path / "run" / "DONE.json").exists()
    assert set(curve(tmp_path / "run", "plane/best")) == {2}
    assert warnings(caplog) == [f"plane of step 0 could not be measured: {said}"]


def test_a_column_of_which_no_cell_can_be_scored_is_no_column(tiny, tmp_path, caplog, monkeypatch):
    def refuse(arm, task, vectors):
        raise ValueError("all vectors are the same")

    monkeypatch.setattr(resample, "estimate_cell", refuse)
    train(tmp_path, plan=SHORT)
    first = "no cell can be scored; layer 0 on TinyPairs: all vectors are the same"
    assert warnings(caplog) == [f"plane of step {step} could not be measured: {first}" for step in (0, 2)]
    assert not live_run.events(tmp_path / "run").Tags()["images"]


def test_a_picture_that_cannot_be_drawn_costs_the_picture(tiny, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("tl_search.figures.growing_plane.growing_plane_picture", lambda _: 1 / 0)
    train(tmp_path, plan=SHORT)
    assert set(curve(tmp_path / "run", "plane/best")) == {0, 2}
    assert warnings(caplog)[0] == "plane of step 0 cannot be shown: ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_does_not_hold_up_the_others(tiny, tmp_path, caplog):
    remove = tiny_run.At(12, lambda: shutil.rmtree(tmp_path / "run" / "revisions" / "step2"))
    train(tmp_path, callbacks={"remove": remove, "plane_probe": probe(tmp_path, share=1e-9)})
    assert set(curve(tmp_path / "run", "plane/best")) == {*STEPS} - {2}
    (line,) = warnings(caplog)
    assert line.startswith("plane of step 2 could not be measured: ")


@pytest.mark.slow
def test_checkpoints_of_equal_weights_are_all_caught_up_with(tiny, tmp_path, caplog):
    still = {"optimizer": AdamW(lr=1e-30, warmup_steps=0)}
    train(tmp_path, share=1e-9, plan=still)
    assert set(curve(tmp_path / "run", "plane/best")) == set(STEPS)
    assert warnings(caplog) == []


def test_a_step_without_a_checkpoint_for_which_there_was_no_time_is_named(tiny, tmp_path, caplog):
    train(tmp_path, share=1e-9, every=5)
    assert set(curve(tmp_path / "run", "plane/best")) == {0, 14}
    lost = "plane: step 5, 10 was not measured in time, and has no checkpoint to measure later; share=null measures all"
    assert warnings(caplog) == [lost]


def columns(folder, step):
    """What a saved state of a run knows as measured."""
    told = torch.load(folder / f"run/checkpoints/step{step}/state.ckpt", weights_only=True)["callbacks"]
    return dict(next(state["columns"] for name, state in told.items() if name in ("LivePlane", "LiveMetrics")))


def cut_and_resumed(folder, before, after):
    """A run of six steps whose looks change at step 4, where two columns are measured: its columns then and at last."""
    six, stop = {"trainer": {"max_steps": 6}}, tiny_run.At(5, tiny_run.cut)
    with pytest.raises(tiny_run.PowerCut):
        train(folder, callbacks={"look": before, "stop": stop}, plan=six)
    then = columns(folder, 4)
    train(folder, callbacks={"look": after}, plan=six)
    return then, columns(folder, 6)


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"tasks": Suite(("TinySTS",))}, {"tasks": SUITE}),
        ({"tasks": Suite(("TinySTS",)), "extraction": Extraction(max_length=8)}, {"tasks": Suite(("TinySTS",))}),
    ],
    ids=["tasks", "extraction"],
)
def test_columns_of_other_settings_are_measured_again_by_a_run_that_goes_on(tiny, tmp_path, caplog, before, after):
    then, now = cut_and_resumed(tmp_path, probe(tmp_path, **before), probe(tmp_path, **after))
    assert warnings(caplog) == ["plane: its settings have changed, so the columns of step 0, 2 are measured again"]
    assert then.keys() == {0, 2}
    assert now.keys() == {0, 2, 6}
    assert all(column.keys() == {*after["tasks"].names} for column in now.values())
    assert all(then[step] != now[step] for step in then)


def test_metrics_of_other_options_are_measured_again_by_a_run_that_goes_on(tiny, tmp_path, caplog):
    option = MetricsConfig(columns=Columns.all, measures={"rankme": {"eps": 0.01}})
    _, now = cut_and_resumed(tmp_path, metrics(), metrics(metrics=option))
    assert warnings(caplog) == ["metrics: its settings have changed, so the columns of step 0, 2 are measured again"]
    assert {step: list(column) for step, column in now.items()} == {step: ["rankme"] for step in (0, 2, 6)}


def test_an_objective_that_weighs_tasks_otherwise_makes_other_columns(tiny, tmp_path):
    told = []
    for objective in (Mean(), CategoryMean()):
        tasks = Suite(("TinyClassification", "TinyF1Classification", "TinySTS"))
        look = probe(tmp_path, tasks=tasks, objective=objective).start()
        look.prepare()
        told.append(look.identity())
    assert told[0] != told[1]


def test_columns_of_the_same_in_other_words_are_kept(tiny, tmp_path, caplog, monkeypatch):
    measured, real = [], LivePlane.measure
    monkeypatch.setattr(LivePlane, "measure", lambda *of: measured.append(of[1].revisions[0].step) or real(*of))
    other = probe(tmp_path, tasks=Suite(tuple(reversed(SUITE.names))), objective=CategoryMean(), final_seconds=1.0)
    cut_and_resumed(tmp_path, other, probe(tmp_path))
    assert warnings(caplog) == []
    assert measured == [0, 2, 6]


def test_columns_of_a_run_that_did_not_say_what_they_are_of_are_kept(tiny, tmp_path, caplog, monkeypatch):
    real = LiveColumns.state_dict
    monkeypatch.setattr(LiveColumns, "state_dict", lambda look: {k: v for k, v in real(look).items() if k != "of"})
    then, now = cut_and_resumed(tmp_path, probe(tmp_path, tasks=Suite(("TinySTS",))), probe(tmp_path, every=2))
    assert "settings changed" not in caplog.text
    assert then.items() <= now.items()


def test_a_run_that_is_told_to_stop_begins_no_look_and_scores_the_step_when_it_goes_on(tiny, tmp_path):
    stop = tiny_run.At(2, live_run.told_to_stop)
    with pytest.raises(SystemExit) as end:
        train(tmp_path, callbacks={"stop": stop, "plane_probe": probe(tmp_path)})
    assert end.value.code == 143
    assert set(curve(tmp_path / "run", "plane/best")) == {0}
    train(tmp_path)
    assert set(curve(tmp_path / "run", "plane/best")) == set(STEPS)


def test_a_run_that_is_told_to_stop_leaves_a_look_between_two_tasks(tiny, tmp_path, monkeypatch):
    real, asked = LocalWorker.run_column, []

    def told(worker, job):
        asked.append((job.revision.step, job.cells[0].task.name))
        if job.revision.step == 2:
            live_run.told_to_stop()
        return real(worker, job)

    monkeypatch.setattr(LocalWorker, "run_column", told)
    with pytest.raises(SystemExit):
        train(tmp_path)
    assert asked == [(0, "TinyPairs"), (0, "TinySTS"), (2, "TinyPairs")]
    assert set(curve(tmp_path / "run", "plane/best")) == {0}


def test_what_a_run_leaves_that_is_told_to_stop_at_its_end_is_said(tiny, tmp_path, caplog):
    stop = tiny_run.At(2, live_run.told_to_stop)
    slow = probe(tmp_path, share=1e-9)
    with pytest.raises(SystemExit):
        train(tmp_path, callbacks={"stop": stop, "plane_probe": slow}, plan=SHORT)
    said = "plane: the checkpoints of step 2 were not measured, since the run was told to stop; a search measures them"
    assert warnings(caplog) == [said]
    train(tmp_path, callbacks={"plane_probe": slow}, plan=SHORT)  # nothing is left to train
    assert read_json(tmp_path / "run" / "DONE.json")["step"] == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_here_is_told_before_the_first_step(tiny, tmp_path):
    message = r"^callbacks\.plane_probe\.probe\.accelerator: no CUDA device here; must be auto or cpu, got cuda$"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, probe=ProbeConfig("cuda"))
    with pytest.raises(ValueError, match=r"^callbacks\.representation_metrics\.probe\.accelerator: no CUDA"):
        train(tmp_path, callbacks={"any": metrics(probe=ProbeConfig("cuda"))})
    assert not (tmp_path / "run" / "revisions").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"columns": Columns.opened}, r"^metrics\.columns: must be all \(for fewer steps, give every=STEPS\), got ope"),
        ({"columns": Columns.none}, r"^metrics\.columns: must be all .*, got none$"),
        ({"columns": Columns.all, "only": True}, r"^metrics\.only: must be false, since it is only for searches"),
    ],
)
def test_settings_that_only_a_search_has_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        metrics(metrics=MetricsConfig(measures={"rankme": {}}, **wrong))


def test_a_look_takes_one_device(tmp_path):
    with pytest.raises(ValueError, match=r"^probe\.devices: must be 1, since the training uses the others, got 2$"):
        probe(tmp_path, probe=ProbeConfig("cpu", devices=2))


@pytest.mark.slow
def test_of_two_ranks_one_looks_and_the_run_is_the_one_that_nobody_watched(tmp_path):
    plane = probe(tmp_path, kind=live_run.ElsewherePlane)
    callbacks = {"plane_probe": plane, "representation_metrics": metrics(kind=live_run.ElsewhereMetrics)}
    plan = {"trainer": {"max_steps": 3, "devices": 2}}
    train(tmp_path, callbacks=callbacks, plan=plan)
    train(tmp_path / "alone", callbacks={}, plan=plan)
    steps = {0, 2, 3}
    for name in ("plane/best", "plane/objective/layer_002", "metrics/rankme/layer_002", "metrics/curvature/layer_001"):
        assert set(curve(tmp_path / "run", name)) == steps
    for step in steps:
        watched, alone = (tiny_run.weights(run / "run", f"step{step}") for run in (tmp_path, tmp_path / "alone"))
        assert tiny_run.same(watched, alone)
