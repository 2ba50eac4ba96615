"""A run that is set back to an older state goes on from there as if it had never been further."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_run import PLAN, plan, same, weights

from tl_search.checkpoints.run import RunCheckpoints
from tl_search.runs.index import read_index
from tl_search.runs.states import states_of
from tl_search.runs.target import Start, Target
from tl_search.store.atomic import read_json
from tl_search.training.callbacks.best import Best, Mode
from tl_search.training.fit import fit
from tl_search.training.start import check_start

KEEPS_ALL = replace(PLAN.checkpoint, save_interval=2, save_last=50)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 14 steps with all its states; only to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    fit(plan(folder, checkpoint=KEEPS_ALL), folder / "run")
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))


def test_the_step_that_a_run_goes_on_from_is_that_of_the_state_it_names(run):
    assert [check_start(run, Start.parse(f"{run}{name}")) for name in ("", "@step4", "/checkpoints/step8")] == [
        14,
        4,
        8,
    ]


def test_an_older_state_and_a_lower_length_leave_no_revision_beyond_the_end(trained, run):
    with pytest.warns(UserWarning, match="planned for 14 steps, the run now has 8"):
        fit(plan(trained.parent, checkpoint=KEEPS_ALL, resume=f"{run}@step4", trainer={"max_steps": 8}), run)
    assert read_json(run / "DONE.json")["step"] == 8
    assert {line.step for line in read_index(run)} >= {0, 2, 6, 8}
    assert max(line.step for line in read_index(run)) == 8
    assert [found.step for found in RunCheckpoints(str(run)).revisions()] == [line.step for line in read_index(run)]
    assert {path.name for path in (run / "revisions").glob("step*")} == {line.name for line in read_index(run)}
    assert same(load_file(run / "quarantine" / "revision-step14" / "model.safetensors"), weights(trained, "step14"))
    assert same(weights(run, "step6"), weights(trained, "step6"))


def test_a_higher_length_than_the_states_step_is_enough(trained, run):
    with pytest.warns(UserWarning, match="the run now has 10"):
        fit(plan(trained.parent, checkpoint=KEEPS_ALL, resume=f"{run}@step8", trainer={"max_steps": 10}), run)
    (entry,) = read_json(run / "run.json")["history"]
    assert (entry["step"], entry["total"]) == (8, [14, 10])


def test_the_best_of_all_may_be_the_state_before_the_first_step(finished, tmp_path):
    run, worst = tmp_path / "run", {"best": Best(mode=Mode.max)}
    fit(plan(finished.parent, callbacks=worst), run)
    assert read_json(run / "checkpoints" / "best.json")["step"] == 0
    assert (run / "checkpoints" / "step0").is_dir()
    fit(plan(finished.parent, callbacks=worst, resume="best"), run)
    assert (run / "quarantine" / "step14").is_dir()
    assert same(weights(run), weights(finished))
    assert read_index(run) == read_index(finished)
    assert not (run / "checkpoints" / "rewound.json").exists()
    assert 0 in [step for _, step in states_of(run)]


def test_a_path_with_an_at_sign_is_a_path(tmp_path):
    (tmp_path / "a@b").mkdir()
    assert Target.parse(f"{tmp_path}/a@b") == Target(tmp_path / "a@b")
    assert Target.parse(f"{tmp_path}/a@b@step3") == Target(tmp_path / "a@b", "step3")
    assert Target.parse("run@best") == Target(Path("run"), "best")
