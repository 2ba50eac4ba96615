"""A folder of its own, a copy of a finished training in it, and command lines that succeed or are refused there."""

import shutil
from pathlib import Path

import pytest

from tl_search.cli.main import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def schedule(folder, capsys):
    """Run a line of `tl schedule` that should succeed; the lines it prints."""

    def run(*words: str) -> list[str]:
        capsys.readouterr()
        code = main(["schedule", *words])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out.splitlines()

    return run


@pytest.fixture
def refused(folder, capsys):
    """Run a line of `tl schedule` that should be refused; its one line. Nothing may be written."""

    def run(*words: str) -> str:
        before = sorted(folder.rglob("*"))
        capsys.readouterr()
        code = main(["schedule", *words])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), (code, out, err)
        assert sorted(folder.rglob("*")) == before
        return err.removeprefix("error: ").rstrip("\n")

    return run


@pytest.fixture
def run(trained, folder):
    """A copy of it, in a working directory that holds nothing else."""
    return Path(shutil.copytree(trained, folder / "runs" / "train" / trained.name, symlinks=True))
