"""What cannot be scored fails alone, is told, and is listed."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.bandits.stopping import Stopping
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.plane.sampling import Listed
from tl_search.scoring.suites import Suite
from tl_search.scoring.uncertainty import resample
from tl_search.search.budget import Budget
from tl_search.search.run import run_search
from tl_search.store.atomic import read_json

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test


def answer(folder):
    return read_json(folder / "result.json")


def fails(monkeypatch, module, name, where):
    """Makes mteb's evaluation fail where it is told to."""
    real = getattr(module, name)

    def failing(arm, task, *rest):
        if where(arm, task):
            raise ValueError("vectors: no good")
        return real(arm, task, *rest)

    monkeypatch.setattr(module, name, failing)


def test_a_failed_cell_is_told_and_listed_and_the_arm_is_not_named(plan, tmp_path, monkeypatch):
    fails(monkeypatch, resample, "estimate_cell", lambda arm, task: (arm.layer, task.name) == (1, "TinySTS"))
    assert run_search(plan(budget=Budget(share=1.0), stopping=Stopping(epsilon=0)), tmp_path / "run") == 3
    result = answer(tmp_path / "run")
    assert {"arm": ["step64", 1], "task": "TinySTS", "reason": "vectors: no good"} in result["skipped"]
    assert 1 not in (result["best"]["arm"][1], result["final_best"]["arm"][1])
    first = read_json(tmp_path / "run/bandit_state.json")["trajectory"][1]
    assert first["scores"]["TinySTS"] is None
    assert first["scores"]["TinyPairs"] > 0
    assert run_search(plan(), tmp_path / "run") == 3  # done, and not all well


def test_a_checkpoint_that_diverged_fails_alone_and_is_not_embedded_for_every_layer(plan, models, tmp_path, count):
    shutil.copytree(models, tmp_path / "models")
    weights = tmp_path / "models/step16/model.safetensors"
    save_file({name: array * np.nan for name, array in load_file(weights).items()}, weights, {"format": "pt"})
    source = FolderCheckpoints(str(tmp_path / "models"))
    assert run_search(plan(checkpoints=source, bandit=Exhaustive()), tmp_path / "run") == 3
    result = answer(tmp_path / "run")
    assert {tuple(cell["arm"]) for cell in result["skipped"]} == {("step16", layer) for layer in range(3)}
    assert all("hold NaN or infinity" in cell["reason"] for cell in result["skipped"])
    assert {n for key, n in count.items() if key[:2] == ("pass", "step16")} == {1}


def test_a_damaged_checkpoint_fails_alone(plan, models, tmp_path):
    shutil.copytree(models, tmp_path / "models")
    source = FolderCheckpoints(str(tmp_path / "models"))
    source.revisions()
    (tmp_path / "models/step4/model.safetensors").write_bytes(b"gone")
    assert run_search(plan(checkpoints=source, bandit=Exhaustive()), tmp_path / "run") == 3
    assert {cell["arm"][0] for cell in answer(tmp_path / "run")["skipped"]} == {"step4"}


def test_ends_at_once_when_the_final_checkpoint_cannot_be_scored(plan, tmp_path, monkeypatch):
    fails(monkeypatch, resample, "estimate_cell", lambda arm, task: task.name == "TinySTS")
    with pytest.raises(ValueError, match=r"no layer of step64 .* every task \(TinySTS: vectors: no good\)"):
        run_search(plan(), tmp_path / "run")
    assert len((tmp_path / "run/pulls.jsonl").read_text().splitlines()) == 3


def test_a_task_that_fails_on_confirmation_counts_for_none_of_the_finalists(plan, tmp_path, monkeypatch):
    broken = ("step64/layer 2", "TinySTS")
    fails(monkeypatch, resample, "confirm_cell", lambda arm, task: (arm.label, task.name) == broken)
    assert run_search(plan(), tmp_path / "run") == 3
    result = answer(tmp_path / "run")
    assert result["left_out"] == ["TinySTS"]
    assert {"arm": ["step64", 2], "task": "TinySTS", "reason": "confirmation: vectors: no good"} in result["skipped"]
    for finalist in ("best", "final_last", "final_best"):
        confirmed = result[finalist]["confirmation"]
        assert list(confirmed["tasks"]) == ["TinyPairs"]
        assert confirmed["objective"] == pytest.approx(confirmed["tasks"]["TinyPairs"], abs=1e-3)


def test_without_any_confirmed_task_there_is_no_answer(plan, tmp_path, monkeypatch):
    fails(monkeypatch, resample, "confirm_cell", lambda arm, task: arm.label == "step64/layer 2")
    with pytest.raises(ValueError, match=r"confirmation: no task could be scored on all finalists \(step64/layer 2, "):
        run_search(plan(), tmp_path / "run")
    assert not (tmp_path / "run/DONE.json").exists()


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (Suite(("TinySTS", "TinyBitexts")), "TinyBitexts cannot be confirmed; type: must be one of"),
        (Suite(("TinySTS",), confirmation_split="confirmatoin"), "must be one of confirmation, selection"),
    ],
)
def test_what_cannot_be_confirmed_is_said_before_anything_is_scored(plan, tmp_path, tasks, message):
    with pytest.raises(ValueError, match=message):
        run_search(plan(tasks=tasks), tmp_path / "run")
    assert not (tmp_path / "run/pulls.jsonl").exists()


def test_a_listed_revision_that_there_is_not_is_left_out_and_the_code_says_so(plan, tmp_path):
    listed = plan(sampling=Listed(("step0", "step77", "main")))
    assert run_search(listed, tmp_path / "run") == 3
    model = listed.checkpoints.model
    assert f"step77: left out, since {model} has no such revision" in answer(tmp_path / "run")["revisions_left_out"]
    assert run_search(listed, tmp_path / "run") == 3


def test_a_listed_name_that_no_revision_can_have_is_refused(plan, tmp_path):
    with pytest.raises(
        ValueError, match=r"^sampling\.revisions: 'stepp0' is no name of a revision; did you mean step0"
    ):
        run_search(plan(sampling=Listed(("stepp0", "main"))), tmp_path / "run")
