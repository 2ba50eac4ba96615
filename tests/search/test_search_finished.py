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
    return {
        path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.parent.name != ".hydra"
    }


@pytest.mark.slow
def test_a_finished_search_is_not_the_answer_for_other_checkpoints(study, tmp_path, capsys, count):
    assert search() == 0
    aside = shutil.move(study / "step4", tmp_path / "step4")
    assert_changed(tmp_path, capsys, "(gone: step4)")
    shutil.move(aside, study / "step4")
    shutil.copytree(study / "step16", tmp_path / "step16")
    shutil.rmtree(study / "step16")
    make(study / "step16", seed=9, num_hidden_layers=2)
    assert_changed(tmp_path, capsys, "(other files: step16)")
    shutil.rmtree(study / "step16")
    shutil.move(tmp_path / "step16", study / "step16")
    make(study / "step128", seed=8, num_hidden_layers=2)
    assert_changed(tmp_path, capsys, "(new: step128)")
    scored = count.copy()
    assert search("name=first-2") == 0
    assert all(count[cell] == scored[cell] for cell in scored)
    assert {cell[1].split("/")[0] for cell in count if cell not in scored and cell[0] == "cell"} == {"step128"}


def assert_changed(folder, capsys, words):
    """The command is refused in one line that tells what has changed, and writes nothing."""
    before = state(folder)
    capsys.readouterr()
    assert search() == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert "name=first-2, which reuses all scores in the ledger; the old answer: tl report" in err
    assert state(folder) == before


@pytest.mark.slow
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


def of_fewer_decisions(run):
    state = json.loads((run / "bandit_state.json").read_text())
    return json.dumps({**state, "trajectory": state["trajectory"][:-1]})


@pytest.mark.slow
def test_what_a_finished_search_has_lost_of_its_answer_is_made_again_from_the_ledger(study, tmp_path, count):
    assert search() == 0
    (run,) = (tmp_path / "runs/search").glob("first-*")
    result = run / "result.json"
    before, scored = json.loads(result.read_text()), count.copy()
    for lose in (
        result.unlink,
        lambda: result.write_text("{}"),
        lambda: result.write_text(json.dumps({**before, "pulls": 1})),
        (run / "bandit_state.json").unlink,
        lambda: (run / "bandit_state.json").write_text("["),
        lambda: (run / "bandit_state.json").write_text(of_fewer_decisions(run)),
        lambda: shutil.rmtree(run / "scores"),
    ):
        lose()
        assert search() == 0
        assert count == scored
        after = json.loads(result.read_text())
        assert {**after, "seconds": 0} == {**before, "seconds": 0}
        assert json.loads((run / "bandit_state.json").read_text())["trajectory"]
        assert list((run / "scores").rglob("*.json"))
    kept = state(run)
    assert search() == 0
    assert all(state(run)[path] == kept[path] for path in (result, run / "DONE.json"))


@pytest.mark.slow
def test_what_was_left_out_cut_or_healed_stands_in_the_result_and_in_the_report(study, tmp_path, capsys):
    make(study / "sideways", seed=3, num_hidden_layers=2)
    shutil.copytree(study / "step64", study / "step99")
    words = ("sampling=uniform", "sampling.count=2", "extraction.max_length=4")
    assert search(*words) == 0
    capsys.readouterr()
    for path in (tmp_path / "runs/embeddings").glob("??/*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    (cell, *_) = (tmp_path / "runs/ledger").glob("??/*.json")
    cell.write_text(cell.read_text().replace('"value": 0.', '"value": 0.9'))
    assert search(*words, "name=again") == 0
    told = " ".join(capsys.readouterr().out.split())
    (run,) = (tmp_path / "runs/search").glob("again-*")
    result = Outcome.read(run)
    assert [line.split(":")[0] for line in result.revisions_left_out] == ["sideways", "step64"]
    assert result.healed["scores"] == 1
    assert result.healed["columns"] >= 1
    assert result.texts_cut.cut == result.texts_cut.texts > 0
    page = (run / "report/index.html").read_text()
    for words in (
        "Not searched: step64: left out, since",
        "Not searched: sideways: left out, since",
        "Damaged files were found and made anew: 1 score",
        "are longer than extraction.max_length=4 tokens",
    ):
        assert words in told
        assert words in page.replace("\u00a0", " ")
