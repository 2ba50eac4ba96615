"""A folder that takes no run is one clear line, before anything is trained."""

import os

import pytest
from test_cli_endings import TINY

from tl_search.cli.main import main


def refused(capsys, runs):
    assert main(["train", f"runs={runs}", *TINY]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ")
    return said


@pytest.fixture
def text(folder):
    (folder / "text.txt").write_text("Some text to train on, again and again. " * 400)
    return folder


def test_a_file_where_the_runs_should_be(text, capsys):
    (text / "taken").write_text("mine")
    assert "taken" in refused(capsys, "taken")
    assert (text / "taken").read_text() == "mine"


def test_a_folder_that_is_closed(text, capsys):
    closed = text / "closed"
    closed.mkdir(mode=0o555)
    if os.access(closed, os.W_OK):
        pytest.skip("this user may write anywhere, as root does")
    assert refused(capsys, closed / "runs").endswith("Permission denied")
    assert not list(closed.iterdir())
