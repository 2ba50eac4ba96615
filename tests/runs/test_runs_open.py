"""What a notebook sees of a run: `tl_search.open_run`."""

import shutil
import subprocess
import sys

import pytest

import tl_search
from tl_search.plane.arm_name import ArmName

RESULT = "step6/layer 2"


def test_a_search_gives_its_plane_scores_pulls_and_result(old_runs):
    (folder,) = (old_runs / "runs/search").iterdir()
    run = tl_search.open_run(folder)
    assert run.plane.shape == (3, 3)
    assert [revision.name for revision in run.revisions] == ["step0", "step4", "step6"]
    pulls = run.pulls()
    assert list(pulls["t"]) == list(range(len(pulls)))
    assert set(pulls["revision"]) <= {"step0", "step4", "step6"}
    assert pulls["share"].is_monotonic_increasing
    assert run.result.best.arm == ArmName(pulls["recommended_revision"].iloc[-1], pulls["recommended_layer"].iloc[-1])
    assert run.record.command == "search"
    assert run.done.exit_code == 0


def test_scores_are_one_row_per_cell_in_points(old_runs):
    (folder,) = (old_runs / "runs/search").iterdir()
    scores = tl_search.open_run(folder).scores()
    assert list(scores.columns) == ["model", "revision", "step", "layer", "readout", "task", "split", "score"]
    assert len(scores) == 1
    (row,) = scores.itertuples()
    assert (row.revision, row.step, row.layer, row.readout, row.split) == ("step6", 6, 2, "raw", "confirmation")
    assert row.score == pytest.approx(61.53, abs=0.01)


@pytest.mark.parametrize(
    "stranger", ["step9/layer_002", "step6/layer_009", "step6/layer_002-whitened", "step6/layer_x"]
)
def test_scores_of_arms_that_are_not_on_the_plane_are_left_out_and_told(old_runs, caplog, stranger):
    (folder,) = (old_runs / "runs/search").iterdir()
    (place,) = (folder / "scores").iterdir()
    shutil.copytree(place / "step6/layer_002", place / stranger, dirs_exist_ok=True)
    assert len(tl_search.open_run(folder).scores()) == 1
    assert f"scores of arms that are not on the plane: 1, as in {place.name}/{stranger}" in caplog.text


def test_a_training_run_gives_its_revisions_and_models(old_runs):
    (folder,) = (old_runs / "runs/train").glob("longer-*")
    run = tl_search.open_run(str(folder))
    assert run.plane is None
    assert run.result is None
    assert [(revision.name, revision.tokens) for revision in run.revisions] == [
        ("step0", 0),
        ("step4", 128),
        ("step6", 192),
    ]
    model, tokenizer = run.load("step4")
    assert model.config.num_hidden_layers == 2
    assert tokenizer("a")["input_ids"] == [97]
    assert model.state_dict().keys() == run.load()[0].state_dict().keys()
    with pytest.raises(ValueError, match=r"has no revision 'step5' \(options: best, main, step0"):
        run.load("step5")
    with pytest.raises(ValueError, match="a training run; scores and pulls are those of a search"):
        run.pulls()


def test_a_search_loads_the_models_that_it_searched(old_runs, monkeypatch):
    monkeypatch.chdir(old_runs)
    (folder,) = (old_runs / "runs/search").iterdir()
    model, _ = tl_search.open_run(folder).load("step6")
    assert model.config.hidden_size == 8


def test_what_is_no_run_is_told_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"there is no folder .*nothing"):
        tl_search.open_run(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"not a run: it has neither plane\.json"):
        tl_search.open_run(tmp_path)


def test_importing_the_package_imports_nothing_else():
    code = "import sys, tl_search; print(sorted(name for name in sys.modules if name.startswith('tl_search.')))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
