"""A finished training that is asked for again: its text may have changed."""

from pathlib import Path

import pytest
from cli.tiny_training import TINY, only_run

from tl_search.cli.main import main


def written(folder):
    """When each file was written, but for those in which Hydra notes every job."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != ".hydra")
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("trainer.max_steps=4",)], ids=["the command", "resume"])
def test_a_finished_training_is_not_that_of_another_text(folder, capsys, words):
    text = folder / "text.py"
    text.write_text(Path(__file__).read_text() * 4)
    command = ["train", *TINY, f"data.corpus.path={text}"]
    assert main(command) == 0
    asked = command if not words else ["train", f"resume={only_run()}", *words]
    text.write_text(text.read_text() + "one more line\n")
    before = written(folder)
    capsys.readouterr()
    assert main(asked) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: data.corpus: must be the text that ")
    assert written(folder) == before
