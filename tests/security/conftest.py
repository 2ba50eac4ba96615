"""A working directory in which a shared file lies, and a marker that appears when anything of it is carried out."""

from pathlib import Path

import pytest
from runs.conftest import old_runs  # noqa: F401  a fixture

from tl_search.cli.main import main
from tl_search.runs import index

TRAINING, SEARCH = "runs/train/longer-9a5d7c9c", "runs/search/found-c55e6c1c"

SMALL = (
    *("trainer.max_steps=2", "trainer.accelerator=cpu", "logger=none", "tokenizer=bytes", "model.width=16"),
    *(
        "model.blocks=1",
        "model.heads=2",
        "model.context=16",
        "data=files",
        "data.batch_size=2",
        "callbacks.progress=null",
    ),
    *("data.validation_share=0.2", "data.validation_batches=1", "schedule=none"),
    f"data.corpus.path={Path(__file__)}",
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory; the marker lies outside of it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


@pytest.fixture
def shared(here, marker):
    """Write a file that somebody shared; `MARKER` in it is the marker's path."""

    def write(name: str, text: str) -> Path:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("MARKER", str(marker)))
        return path

    return write


@pytest.fixture
def refused(here, marker, capsys):
    """Run a command line that must be refused; its one line. Nothing may be carried out, and nothing be written."""

    def run(*words: str) -> str:
        before = sorted(here.rglob("*"))
        capsys.readouterr()
        code = main([word.replace("MARKER", str(marker)) for word in words])
        out, err = capsys.readouterr()
        assert not marker.exists(), "code of the shared file ran"
        assert code == 2, (code, out, err)
        assert err.count("\n") == 1, err
        assert sorted(here.rglob("*")) == before
        return err.removeprefix("error: ").rstrip("\n")

    return run


@pytest.fixture
def train(refused):
    """A `tl train` that would take a second, with what is shared on top."""
    return lambda *words: refused("train", *SMALL, *words)


@pytest.fixture
def study(old_runs, monkeypatch):  # noqa: F811
    """The working directory, with two runs that somebody shared: a training and a search."""
    monkeypatch.chdir(old_runs)
    monkeypatch.setattr(index, "_told", set())
    return old_runs
