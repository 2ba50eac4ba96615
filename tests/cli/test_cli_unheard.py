"""A training whose terminal cannot be written to goes on to its end, and its log has what it said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.tiny_training import TINY, only_run

from tl_search.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_behind_the_terminal_does_not_end_a_training(folder):
    words = [word for word in TINY if not word.startswith("callbacks.progress")]
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "tl_search", "train", *words]
        done = subprocess.run(command, stdout=full, stderr=full, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0
    assert (only_run() / "DONE.json").is_file()
    said = (only_run() / "train.log").read_text()
    assert said.count("the terminal cannot be written to (No space left on device)") == 1
    for line in ("4 steps, on cpu; starting", "step 2 · eval loss", "step 4/4  loss", "the training is complete"):
        assert said.count(line) == 1


@pytest.mark.slow
def test_a_closed_pipe_does_not_end_a_training_nor_change_its_exit_code(run, monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", gone)
        patch.setattr(sys, "stdout", gone)
        assert main(["train", f"resume={run}", "trainer.max_steps=5"]) == 0
    said = (run / "train.log").read_text()
    assert "the terminal cannot be written to (Broken pipe)" in said
    assert "step 5 · eval loss" in said


def test_a_message_that_nobody_can_read_does_not_change_the_exit_code(folder, monkeypatch):
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", full)
        assert main(["train", "bad=1"]) == 2
