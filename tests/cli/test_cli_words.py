"""Words as people type them: paths with ~, numbers like 1e3, special characters, flags; and readers that have gone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli.tiny_training import TINY, only_run
from omegaconf import OmegaConf

from tl_search.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
ACCUMULATE = "{_target_: lightning.pytorch.callbacks.GradientAccumulationScheduler, scheduling: {0: 1}}"


@pytest.mark.slow
def test_a_node_may_have_numbers_as_keys(folder, capsys):
    assert main(["train", *TINY, f"+callbacks.more={ACCUMULATE}"]) == 0, capsys.readouterr().err
    assert OmegaConf.load(only_run() / "config.yaml").callbacks.more.scheduling == {0: 1}
    assert main(["train", f"resume={only_run()}"]) == 0, capsys.readouterr().err


@pytest.mark.slow
def test_1e3_is_a_whole_number_and_the_same_run_as_1000(folder, capsys):
    assert main(["train", *TINY, "trainer.max_steps=4e0", "trainer.log_every_n_steps=1e1"]) == 0, (
        capsys.readouterr().err
    )
    run = only_run()
    assert main(["train", *TINY, "trainer.max_steps=4"]) == 0, capsys.readouterr().err
    assert only_run() == run
    assert (run / "revisions" / "step4").is_dir()


@pytest.mark.parametrize("words", [["search", "~/models"], ["search", "checkpoints.path=~/models"]])
def test_a_tilde_is_the_home_folder(folder, monkeypatch, capsys, words):
    monkeypatch.setenv("HOME", str(folder / "home é"))
    assert main(words) == 2
    assert f"checkpoints.path: there is no folder {folder}/home é/models" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_a_tilde_in_a_config_file_is_refused_instead_of_making_a_folder_of_that_name(folder, refused):
    (folder / "experiments").mkdir()
    (folder / "experiments" / "home.yaml").write_text("# @package _global_\nruns: ~/runs\n")
    assert refused("experiments=home").startswith("runs: must be a whole path, got '~/runs'; only on the command line")


@pytest.mark.parametrize("value", ["a=b.txt", "ünï/ä.txt", "x(y).txt", "a,b.txt", 'a"=.txt'])
def test_a_value_with_special_characters_is_answered_with_the_words_that_work(folder, capsys, value):
    assert main(["train", "data=files", f"data.corpus.path={value}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    _, word = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' x {line.rpartition('needs quotes: ')[2]}"], capture_output=True, text=True
    ).stdout.splitlines()
    assert main(["train", "data=files", word]) == 2
    assert f"data.corpus.path: must name a text file, a folder of text files or a pattern, got '{folder}/{value}'" in (
        capsys.readouterr().err
    )


def test_a_run_whose_path_holds_an_equals_sign_is_a_run(folder, capsys):
    (folder / "odd" / "a=b").mkdir(parents=True)
    assert main(["report", "odd/a=b"]) == 2
    assert "run: odd/a=b is not a run directory" in capsys.readouterr().err
    assert main(["search", "odd/a=b"]) == 2
    assert "odd/a=b" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--info"], ["-i", "horizon.total=9"], ["--info=defaults"]])
def test_info_alone_is_all_of_it(folder, capfd, words):
    assert main(["schedule", *words]) == 0
    assert list(folder.iterdir()) == []
    said = capfd.readouterr().out
    assert "Default" in said
    assert not re.search(r"\\[nt]", said)  # its lines are lines


@pytest.mark.parametrize("word", ["--shell-completion", "-sc", "--hydra-help"])
def test_what_does_not_work_here_is_not_offered(refused, word):
    assert refused(word).startswith(f"{word}: unknown option of tl schedule")


def test_an_unknown_kind_of_info_is_refused(refused):
    assert refused("--info=everything").startswith("--info: must be followed by one of all, config, ")


@pytest.mark.parametrize("words", [["-h"], ["train", "--help"], ["schedule", "-m", "horizon.total=9,10"]])
def test_a_reader_who_has_gone_is_no_error(folder, words):
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tl_search", *words], stdout=write, stderr=subprocess.PIPE, text=True, env=environment
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_answer_that_a_full_disk_does_not_take_is_told_once(folder):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tl_search", "-h"],
            stdout=full, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 75
    assert done.stderr.startswith("error: No space left on device; ")
    assert done.stderr.count("\n") == 1
