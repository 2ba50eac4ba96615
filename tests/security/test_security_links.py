"""A run that somebody else made cannot lead what is written into it to another place."""

import shutil

import pytest
from cli.tiny_training import TINY, only_run

from tl_search.cli.main import main


@pytest.fixture
def shared(trained, tmp_path, monkeypatch):
    """A training run of somebody else's, and a folder of one's own that it must not reach."""
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(trained, tmp_path / "runs" / "train" / trained.name, symlinks=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    return run


def told(capsys, *words):
    capsys.readouterr()
    code = main(list(words))
    return code, "".join(capsys.readouterr())


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    "place", ["checkpoints", "report", "tensorboard", "quarantine", ".hydra", "cache/metrics/x", "a.log", "run.lock"]
)
def test_a_link_out_of_the_run_is_refused_before_anything_is_written(shared, tmp_path, capsys, place):
    link, target = shared / place, tmp_path / "precious"
    if link.is_dir():
        shutil.copytree(link, target, dirs_exist_ok=True)
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target / "file" if "." in place[1:] else target)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for words in (["train", *TINY], ["train", f"resume={shared}", "trainer.max_steps=6"], ["report", str(shared)]):
        code, said = told(capsys, *words)
        assert (code, said.count("\n")) == (2, 1), said
        assert f"{link.relative_to(tmp_path)}: is a link to " in said
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.slow
def test_links_within_the_run_and_revisions_that_are_links_are_harmless(shared, tmp_path, capsys):
    moved = shared / "revisions" / "step4"
    elsewhere = moved.rename(tmp_path / "step4")
    moved.symlink_to(elsewhere)
    (shared / "wandb").mkdir()
    (shared / "wandb" / "latest-run").symlink_to("../tensorboard")
    before = sorted(elsewhere.rglob("*"))
    assert told(capsys, "report", str(shared))[0] == 0
    assert told(capsys, "train", f"resume={shared}", "trainer.max_steps=6")[0] == 0
    assert only_run() == shared
    assert sorted(elsewhere.rglob("*")) == before
