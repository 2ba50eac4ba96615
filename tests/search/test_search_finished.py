"""A finished search that is asked for again: its checkpoints may have changed, and its files may be damaged."""

import json
import shutil

import pytest
from cli.tiny_training import TINY, only_run
from probe.tiny_models import make

from tl_search.cli.main import main
from tl_search.runs.outcome import Outcome

QUICK = (
    *("tasks.names=[TinyPairs,TinySTS]", "probe.accelerator=cpu", "extraction.max_length=32", "bandit=random"),
    *("confirm.resamples=100", "sampling=dense", "metrics=none", "budget.share=1", "name=first"),
)


@pytest.fixture
def study(models, tiny, tmp_path, monkeypatch):
    """A folder of models that can be changed, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(models, tmp_path / "models")


def search(*words):
    return main(["search", "checkpoints=folder", "checkpoints.path=models", *QUICK, *words])


def state(folder):
    """When each file was written, but for those in which Hydra notes every job."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and ".hydra" != path.parent.name}


def a_new_model(models):
    make(models / "step128", seed=9, num_hidden_layers=2)


def a_model_is_replaced(models):
    shutil.rmtree(models / "step64")
    make(models / "step64", seed=9, num_hidden_layers=2)


def a_model_is_gone(models):
    shutil.rmtree(models / "step4")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (a_new_model, "(new: step128)"),
        (a_model_is_replaced, "(other files: step64)"),
        (a_model_is_gone, "(gone: step4)"),
    ],
)
def test_a_finished_search_is_not_the_answer_for_other_checkpoints(study, tmp_path, capsys, count, change, words):
    assert search() == 0
    change(study)
    before, scored = state(tmp_path), count.copy()
    capsys.readouterr()
    assert search() == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert "name=first-2, which reuses all scores in the ledger; the old answer: tl report" in err
    assert state(tmp_path) == before
    if change is a_new_model:
        assert search("name=first-2") == 0
        assert all(count[cell] == scored[cell] for cell in scored)
        assert {cell[1].split("/")[0] for cell in count if cell not in scored and cell[0] == "cell"} == {"step128"}


def test_a_longer_training_is_another_plane(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY]) == 0
    run = str(only_run())
    assert main(["search", run, *QUICK]) == 0
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    capsys.readouterr()
    assert main(["search", run, *QUICK]) == 2
    assert "(new: step6)" in capsys.readouterr().err
    assert main(["search", run, *QUICK, "name=first-2"]) == 0
    (again,) = (tmp_path / "runs/search").glob("first-2-*")
    assert Outcome.read(again).final_last.arm.revision == "step6"


@pytest.mark.parametrize("lost", ["deleted", "emptied", "edited", "bandit_state.json", "scores"])
def test_what_a_finished_search_has_lost_of_its_answer_is_made_again_from_the_ledger(study, tmp_path, count, lost):
    assert search() == 0
    (run,) = (tmp_path / "runs/search").glob("first-*")
    before, scored = json.loads((run / "result.json").read_text()), count.copy()
    if lost == "deleted":
        (run / "result.json").unlink()
    elif lost == "emptied":
        (run / "result.json").write_text("{}")
    elif lost == "edited":
        (run / "result.json").write_text(json.dumps({**before, "pulls": 1}))
    elif lost == "scores":
        shutil.rmtree(run / "scores")
    else:
        (run / lost).write_text("[")
    assert search() == 0
    assert count == scored
    after = json.loads((run / "result.json").read_text())
    assert {**after, "seconds": 0} == {**before, "seconds": 0}
    assert json.loads((run / "bandit_state.json").read_text())["trajectory"]
    assert list((run / "scores").rglob("*.json"))
    kept = state(run)
    assert search() == 0
    assert {path: when for path, when in state(run).items() if path.name in ("result.json", "DONE.json")} == {
        path: when for path, when in kept.items() if path.name in ("result.json", "DONE.json")
    }
