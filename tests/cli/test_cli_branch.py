"""`tl train branch_from=RUN@stepN` and `curriculum=current`: a new run beside its parent, or one line why not."""

import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tiny_training import TINY

from tl_search.cli.main import main
from tl_search.store.atomic import read_json

TWO = ("curriculum=two_stage", "curriculum.stages.plain.steps=3")


def runs():
    return sorted(path for path in Path("runs/train").iterdir() if path.is_dir())


def new(before):
    (run,) = set(runs()) - set(before)
    return run.resolve()


def model(run):
    return (run / "revisions" / "main" / "model.safetensors").read_bytes()


def refused(capsys, *words):
    """The one line of a refusal that wrote nothing."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["train", *words]) == 2
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1, said
    return said


@pytest.mark.slow
def test_a_branch_is_a_run_beside_its_parent_that_the_same_command_finds_again(run, monkeypatch):
    before = runs()
    words = [f"branch_from={run}@step2", *TWO]
    assert main(["train", *words]) == 0
    branch = new(before)
    assert branch.name.startswith("tiny-log-s0-")
    digest = read_json(run / "run.json")["digest"]
    assert f"{digest}-step2" in branch.name
    assert "two_stage" in branch.name
    assert "bytes" not in branch.name  # an option of the parent
    parent = read_json(branch / "run.json")["parent"]
    assert (parent["run"], parent["step"]) == (str(run), 2)
    assert parent["changed"]["curriculum.stages.normalised.weights.log_normaliser"] == [None, 1e-4]
    recorded = OmegaConf.load(branch / "config.yaml")
    assert recorded.model.width == 16
    assert recorded.branch_from == f"{run}@step2"
    assert recorded.choices.curriculum == "two_stage"
    made = model(branch)
    monkeypatch.chdir(branch)  # also from another folder, and when the parent's state is gone
    shutil.rmtree(run / "checkpoints" / "step2")
    assert main(["train", *words]) == 0
    assert main(["train", f"resume={branch.resolve()}", "trainer.max_steps=5"]) == 0
    monkeypatch.chdir(run.parents[2])
    assert len(runs()) == 2
    assert read_json(branch / "DONE.json")["step"] == 5
    assert model(branch) != made


@pytest.mark.slow
def test_current_is_the_curriculum_of_the_checkpoint_for_a_branch_and_a_resume(run):
    before, whole = runs(), model(run)
    assert main(["train", f"branch_from={run}@step2", "curriculum=current"]) == 0
    branch = new(before)
    assert model(branch) == whole
    assert OmegaConf.load(branch / "config.yaml").choices.curriculum == "constant"
    assert main(["train", f"branch_from={run}@step2"]) == 0  # means the same, and is the same run
    assert len(runs()) == 2
    assert main(["train", f"resume={run}@step2", "curriculum=current"]) == 0
    assert model(run) == whole
    assert "history" not in read_json(run / "run.json")
    assert OmegaConf.load(run / "config.yaml").choices.curriculum == "constant"


@pytest.mark.slow
def test_one_weight_of_the_parents_curriculum_is_changed_without_code(run):
    before = runs()
    word = "curriculum.stages.whole.weights.next_token=0.5"
    assert main(["train", f"branch_from={run}@step2", word, "+curriculum.stages.whole.data.noise=0.25"]) == 0
    stage = OmegaConf.load(new(before) / "config.yaml").curriculum.stages.whole
    assert (stage.weights.next_token, stage.data.noise) == (0.5, 0.25)


@pytest.mark.slow
def test_a_stage_is_replaced_and_one_added_on_the_command_line(run):
    before = runs()
    late = "+curriculum.stages.late={weights:{next_token:1,log_normaliser:0.1},data:{sequence_length:8}}"
    assert main(["train", f"branch_from={run}@step2", "curriculum.stages.whole.steps=3", late]) == 0
    branch = new(before)
    plan = read_json(branch / "run.json")["plan"]["curriculum"]["stages"]
    assert plan["late"]["start"] == 3
    assert plan["late"]["data"] == {"sequence_length": 8}
    assert main(["train", f"resume={branch}", "trainer.max_steps=5"]) == 0


@pytest.mark.slow
def test_a_sweep_of_curricula_branches_from_one_state(run):
    before = runs()
    line = ["-m", f"branch_from={run}@step2", "curriculum=current,two_stage", "branch.data=restart"]
    assert main(["train", *line, "curriculum.name=x"]) == 0
    branches = set(runs()) - set(before)
    assert len(branches) == 2
    assert len({read_json(branch / "run.json")["parent"]["sha256"] for branch in branches}) == 1


@pytest.mark.slow
def test_best_is_the_step_that_is_the_best_now(run):
    before = runs()
    best = read_json(run / "checkpoints" / "best.json")["step"]
    if best == 4:
        shutil.copyfile(run / "checkpoints" / "best.json", run / "checkpoints" / "kept.json")
    words = [f"branch_from={run}@best", "trainer.max_steps=6", "branch.lr=rescale"]
    with pytest.warns(UserWarning, match="planned for 4 steps, the run now has 6"):
        assert main(["train", *words]) == 0
    assert read_json(new(before) / "run.json")["parent"]["step"] == best


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["branch_from={run}"], "branch_from: must be RUN@stepN or RUN@best, got "),
        (["branch_from={run}@step3"], "has no training state step3; states: step4, step2"),
        (["branch_from={run}@step1"], "has no training state step1; states: step4, step2"),
        (["branch_from=runs/train/tiny@step2"], "branch_from: there is no folder "),
        (["branch_from=7"], "branch_from: must be RUN@stepN or RUN@best, got 7"),
        (["branch_from={run}@step2", "model.width=32"], "is of another architecture: model.width was 16, now 32"),
        (["branch_from={run}@step2", "tokenizer=trained"], "is of another architecture: tokenizer.class was"),
        (["branch_from={run}@step2", "data.batch_size=4"], "branch.data: must be restart, since the text is read in"),
        (["branch_from={run}@step2", "branch.lr=jump"], "branch.lr: must be one of keep, rescale, restart, got 'jump'"),
        (["branch_from={run}@step2", "debug=true"], "branch_from: must be left out with debug=true"),
        (["branch_from={run}@step2", "resume={run}"], "branch_from: must be left out with resume=PATH"),
        (["branch_from={run}@step4"], "trainer.max_steps: must be > 4, where the branch begins, got 4"),
        (["branch_from={run}@step2", "experiments=x"], "experiments: "),
        (["branch_from={run}@step2", *TWO, "curriculum.stages.normalised.start=2"], "overlaps with plain, which ends"),
        (["branch.lr=restart"], "branch: must be left out without branch_from=RUN@stepN"),
        (
            ["curriculum=current"],
            "curriculum.stages: must hold a stage, got none; current means those of the checkpoint",
        ),
        (["curriculum.stages.whole.steps=0"], "curriculum.stages.whole.steps: must be >= 1, got 0"),
        (["+curriculum.stages.whole.weights.next_tokn=1"], "next_token, got 'next_tokn'; did you mean next_token?"),
        (["+curriculum.stages.whole.data.nois=0.1"], "noise, sequence_length, got 'nois'; did you mean noise?"),
        (
            ["curriculum.stages.whole.data.noise=0.1"],
            "is not set in this stage; +curriculum.stages.whole.data.noise=VALUE",
        ),
        (["curriculum.stages.whole.weights.next_tokn=1"], "next_tokn: unknown key; did you mean next_token?"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_bad_input_is_one_line(run, words, said, capsys):
    own = [] if any(word.startswith("branch_from") for word in words) else TINY
    assert said in refused(capsys, *own, *(word.format(run=run) for word in words))


def test_tl_run_does_not_branch_and_says_what_does(folder, capsys):
    Path("experiments").mkdir()
    Path("experiments/mine.yaml").write_text("# @package _global_\nbranch_from: runs/train/RUN@step2\n")
    assert main(["run", "experiments=mine"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: branch_from: must be left out with tl run, which trains from the start; tl train ")
    assert said.count("\n") == 1
    assert [*Path().rglob("*")] == [Path("experiments"), Path("experiments/mine.yaml")]
