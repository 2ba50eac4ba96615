"""A finished training is read once more before it counts as done: what is damaged is named, with what heals it."""

import shutil
from pathlib import Path

import pytest
from test_cli_endings import TINY

from tl_search.cli.main import main

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

WORDS = ("train", *TINY, "checkpoint.save_interval=1")
MODEL = "model.safetensors"


@pytest.fixture
def run(folder, capfd):
    Path("text.txt").write_text("a small world of words\n" * 400)
    assert main([*WORDS]) == 0
    capfd.readouterr()
    return next(Path("runs/train").iterdir())


def again(capfd, *words):
    """The same command once more: its exit code, and what it says beside that the training is complete."""
    code = main([*WORDS, *words])
    lines = capfd.readouterr().err.splitlines(keepends=True)
    return code, "".join(line for line in lines if "the training is complete; to search it" not in line)


def damage(file):
    """Other bytes of the same length, in the same file: also under its other names."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 255
    with file.open("r+b") as handle:
        handle.write(content)


def test_an_undamaged_run_is_done_without_a_word(run, capfd):
    assert again(capfd) == (0, "")


@pytest.mark.slow_but_one
@pytest.mark.parametrize("how", ["gone", "cut short", "a file is missing", "another model"])
def test_main_is_made_again_from_the_last_revision(run, capfd, how):
    main_, last = run / "revisions" / "main", run / "revisions" / "step2"
    expected = (last / MODEL).read_bytes()
    if how == "a file is missing":
        (main_ / MODEL).unlink()
    elif how == "cut short":
        (main_ / MODEL).unlink()
        (main_ / MODEL).write_bytes(expected[:-1])
    else:
        shutil.rmtree(main_)
    if how == "another model":
        shutil.copytree(run / "revisions" / "step0", main_)
    code, said = again(capfd)
    assert code == 0
    assert said.count("\n") == 1
    assert "revisions/main" in said
    assert said.rstrip().endswith("revisions/step2")
    assert (main_ / MODEL).read_bytes() == expected
    assert again(capfd) == (0, "")


def test_a_last_model_that_is_damaged_under_both_names_is_told_with_what_heals_it(run, capfd):
    expected = (run / "revisions" / "step2" / MODEL).read_bytes()
    damage(run / "revisions" / "step2" / MODEL)
    code, said = again(capfd)
    assert code == 2
    assert said.count("\n") == 1
    assert "revisions/step2/model.safetensors: its sha256 differs" in said
    command = said.partition("; ")[2].removesuffix(" makes it again\n")
    assert command.startswith("tl train resume=")
    assert command.endswith("@step1")
    assert main(command.split()[1:]) == 0
    assert (run / "revisions" / "main" / MODEL).read_bytes() == expected
    capfd.readouterr()
    assert again(capfd) == (0, "")


def test_a_damaged_state_is_told_with_what_heals_it_and_the_run_stays_done(run, capfd):
    damage(run / "checkpoints" / "step2" / "state.ckpt")
    code, said = again(capfd)
    assert code == 0
    assert said.count("\n") == 1
    assert "checkpoints/step2/state.ckpt: its sha256 differs" in said
    command = said.rpartition("; ")[2].removesuffix(" makes it again\n")
    assert main(command.split()[1:]) == 0
    capfd.readouterr()
    assert again(capfd) == (0, "")


def test_without_an_older_state_the_way_is_to_train_anew(run, capfd):
    for state in (run / "checkpoints").glob("step*"):
        if state.name != "step2":
            shutil.rmtree(state)
    damage(run / "revisions" / "step2" / MODEL)
    code, said = again(capfd)
    assert code == 2
    assert said.rstrip().endswith(f"remove {run.resolve()} and train it anew")
