"""`tl train resume=…`: a run goes on from its own settings, or one line says why it cannot."""

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.runs.signed import sign
from tl_search.store.atomic import read_json, write_json
from tl_search.store.lock import RunLock
from tl_search.store.manifest import read_manifest, write_manifest
from tl_search.training.tokens import TrainedTokenizer


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *words):
    """The one line of a refusal that changed nothing below the working directory."""
    before = snapshot(Path())
    capsys.readouterr()
    assert main(list(words)) == 2
    assert snapshot(Path()) == before
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    return error


def rewritten(state, change):
    """Changes what a state holds, and has its manifest agree."""
    content = torch.load(state / "state.ckpt", weights_only=True)
    torch.save(change(content), state / "state.ckpt")
    facts = {key: value for key, value in read_manifest(state).items() if key != "files"}
    sign(state.parents[1], state.name, write_manifest(state, **facts))


@pytest.mark.slow
def test_a_run_is_made_longer_by_its_path_and_a_number(run):
    with pytest.warns(UserWarning, match="planned for 4 steps, the run now has 6"):
        assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert read_json(run / "DONE.json")["step"] == 6
    assert OmegaConf.load(run / "config.yaml").trainer.max_steps == 6
    (entry,) = read_json(run / "run.json")["history"]
    assert entry == {"step": 4, "changed": {"trainer.max_steps": [4, 6]}, "lr_policy": "keep", "total": [4, 6]}
    before = snapshot(run / "revisions")
    assert main(["train", f"resume={run}"]) == 0  # its settings are now the longer ones
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert snapshot(run / "revisions") == before
    assert [path for path in Path("runs/train").iterdir() if path.is_dir()] == [Path("runs/train", run.name)]


@pytest.mark.slow
def test_the_first_command_of_a_run_that_was_made_longer_is_refused(run, capsys):
    assert main(["train", f"resume={run}", "trainer.max_steps=5"]) == 0
    before = snapshot(run / "revisions")
    capsys.readouterr()
    assert main(["train", *TINY]) == 2
    assert "has been changed since it was started: trainer.max_steps was 4, now 5; go on" in capsys.readouterr().err
    assert snapshot(run / "revisions") == before


@pytest.mark.slow
def test_jobs_of_a_sweep_go_on_with_a_run_each(run):
    other = Path(shutil.copytree(run, run.with_name("other"), symlinks=True))
    assert main(["train", "-m", f"resume={run},{other}", "trainer.max_steps=5", "lr_policy=restart"]) == 0
    for each in (run, other):
        assert read_json(each / "DONE.json")["step"] == 5
        assert read_json(each / "run.json")["history"][0]["lr_policy"] == "restart"


@pytest.mark.slow
def test_another_option_of_a_group_replaces_the_recorded_one(run):
    assert main(["train", f"resume={run}", "trainer.max_steps=9", "schedule=linear", "schedule.linear_interval=2"]) == 0
    recorded = OmegaConf.load(run / "config.yaml")
    assert recorded.schedule._target_.endswith("LinearSchedule")
    assert recorded.model.width == 16
    assert "schedule.linear_interval" in read_json(run / "run.json")["history"][0]["changed"]


def test_an_older_state_sets_the_run_back_and_the_same_bits_follow(run):
    before = (run / "revisions" / "main" / "model.safetensors").read_bytes()
    assert main(["train", f"resume={run / 'checkpoints' / 'step2'}"]) == 0
    assert (run / "quarantine" / "step4" / "state.ckpt").is_file()
    assert (run / "revisions" / "main" / "model.safetensors").read_bytes() == before
    assert read_json(run / "DONE.json")["step"] == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model.width=32", "model.width was 16, now 32"),
        ("tokenizer=trained", "tokenizer.class was 'ByteTokenizer', now 'TrainedTokenizer'"),
        ("data.batch_size=4", "data.batch_size was 2, now 4"),
        ("optimizer.lr=0.5", "optimizer.lr was 0.001, now 0.5"),
        ("seed=1", "seed was 0, now 1"),
        ("trainer.precision=bf16-mixed", "trainer.precision was '32-true', now 'bf16-mixed'"),
        ("curriculum=two_stage", "curriculum.stages."),
        ("trainer.max_steps=3", "is already at step 4 >= max_steps 3, so nothing is left to do"),
        ("experiments=x", "experiments: "),
        ("lr_policy=jump", "lr_policy: must be one of keep, rescale, restart, got 'jump'"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_what_a_run_does_not_survive_is_refused(run, change, said, capsys):
    assert said in refused(capsys, "train", f"resume={run}", change)


def test_a_listed_step_beyond_the_new_end_is_refused(run, capsys):
    said = refused(capsys, "train", f"resume={run}", "trainer.max_steps=6", "schedule.checkpoint_schedule=[5,5000]")
    assert "schedule.checkpoint_schedule[1]: must be at most the run's last step, 6, got 5000" in said


def test_a_path_that_is_no_run_or_state_is_refused(run, capsys):
    Path("empty").mkdir()
    torch.save({"weight": torch.zeros(2)}, "plain.pt")
    for path, said in {
        "nowhere": "resume: there is no folder nowhere",
        "empty": "resume: empty is not a run (no run.json)",
        "plain.pt": "resume: plain.pt is a file with weights only",
        str(run / "revisions" / "main"): "holds only weights, which cannot be trained on",
        f"{run}@step3": "has no training state step3; states: step",
        f"{run}@first": "must have best or stepN after the @, got 'first'",
        "''": "resume: must be auto, best or a path, got ''",
    }.items():
        assert said in refused(capsys, "train", f"resume={path}")


def test_a_revision_without_a_full_state_is_told_as_such(run, capsys):
    states = {folder.name for folder in (run / "checkpoints").glob("step*")}
    bare = min(folder.name for folder in (run / "revisions").glob("step*") if folder.name not in states)
    said = refused(capsys, "train", f"resume={run}@{bare}")
    assert f"resume: {run}@{bare} has weights but no full training state; states: step" in said
    assert "did you mean" not in said


@pytest.mark.slow
def test_text_that_is_no_longer_the_same_is_refused(run, capsys):
    config = OmegaConf.load(run / "config.yaml")
    Path("text.txt").write_text("other words\n" * 400)
    config.data.corpus.path = "text.txt"
    OmegaConf.save(config, run / "config.yaml")
    assert "data.corpus.path: must be the corpus that " in refused(capsys, "train", f"resume={run}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state["state_dict"], "holds only weights (a plain state_dict)"),
        (lambda state: {key: value for key, value in state.items() if key != "loops"}, "holds a state without loops"),
        (
            lambda state: {key: value for key, value in state.items() if key != "optimizer_states"},
            "holds a state without optimizer_states",
        ),
        (lambda state: {**state, "pytorch-lightning_version": "99.0"}, "was written by lightning 99.0, newer than"),
        (lambda state: {**state, "pytorch-lightning_version": None}, "has 'None' in the place of Lightning's version"),
    ],
    ids=["state_dict", "no loops", "weights only", "newer", "no version"],
)
@pytest.mark.slow_but_every(3)
def test_a_state_that_training_cannot_go_on_from_is_refused(run, change, said, capsys):
    rewritten(run / "checkpoints" / "step4", change)
    assert said in refused(capsys, "train", f"resume={run}")


@pytest.mark.slow_but_one
@pytest.mark.parametrize("keep", [0, 0.1, -1])
def test_an_explicit_state_that_was_cut_short_is_refused_and_the_others_are_named(run, keep, capsys):
    file = run / "checkpoints" / "step4" / "state.ckpt"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)] if keep >= 0 else content[:-1])
    for resume in (f"{run}", f"{run}@step4", f"{run}/checkpoints/step4"):
        error = refused(capsys, "train", f"resume={resume}", "trainer.max_steps=6")
        assert "checkpoints/step4/state.ckpt" in error
        assert f"others: {run}@step2" in error


def test_a_run_in_use_is_left_alone(run, monkeypatch):
    lock = RunLock(run)
    lock.owner["pid"], lock.owner["started"] = 1, "0"
    monkeypatch.setattr("tl_search.store.lock.RunLock._is_dead", lambda self, owner: False)
    with lock:
        assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 4
    assert "history" not in read_json(run / "run.json")


@pytest.mark.slow
def test_best_sets_the_run_back_to_its_best_state_and_the_same_bits_follow(run):
    before = (run / "revisions" / "main" / "model.safetensors").read_bytes()
    best = read_json(run / "checkpoints" / "best.json")["step"]
    assert main(["train", *TINY, "resume=best"]) == 0
    assert all((run / "checkpoints" / f"step{best}").is_dir() for best in {best, 4})
    assert (run / "revisions" / "main" / "model.safetensors").read_bytes() == before
    assert main(["train", f"resume={run}@best", "trainer.max_steps=6"]) == 0
    assert read_json(run / "DONE.json")["step"] == 6


@pytest.mark.slow
def test_a_state_of_a_longer_run_may_go_on_to_a_lower_step(run):
    assert main(["train", f"resume={run}@step2", "trainer.max_steps=3"]) == 0
    assert read_json(run / "DONE.json")["step"] == 3
    assert not (run / "revisions" / "step4").exists()


def test_best_of_a_run_that_does_not_exist_leaves_no_trace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, "resume=best"]) == 2
    assert "has no training state to continue from" in capsys.readouterr().err
    assert not Path("runs/train").exists()


@pytest.mark.slow
def test_another_vocabulary_under_the_same_name_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = (*TINY, "tokenizer=pretrained", "tokenizer.name=letters")
    TrainedTokenizer(258).build(["the cat sat on the mat"]).save_pretrained("letters")
    assert main(["train", *words]) == 0
    run = only_run()
    TrainedTokenizer(258).build(["der Hund lag auf dem Hund"]).save_pretrained("letters")
    kept = {name: (run / name).read_bytes() for name in ("run.json", "config.yaml", "DONE.json")}
    capsys.readouterr()
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 2
    error = capsys.readouterr().err
    assert "was started with another configuration: tokenizer was " in error
    assert "corpus was" not in error
    assert {name: (run / name).read_bytes() for name in kept} == kept


def test_a_folder_that_belongs_to_another_config_is_refused_with_the_difference(run, capsys):
    config = OmegaConf.load(run / "config.yaml")
    config.seed = 1
    OmegaConf.save(config, run / "config.yaml")
    write_json(run / "run.json", {**read_json(run / "run.json"), "digest": "another"})
    capsys.readouterr()
    before = snapshot(run / "revisions")
    assert main(["train", *TINY]) == 2
    error = capsys.readouterr().err
    assert (
        f"{run.name}: holds a run with other settings (seed was 1, now 0); set name=OTHER, or continue that run"
        in error
    )
    assert snapshot(run / "revisions") == before
    assert OmegaConf.load(run / "config.yaml").seed == 1
