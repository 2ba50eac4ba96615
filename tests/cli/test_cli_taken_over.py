"""A run has one owner: who takes it over says so, and who lost it publishes nothing more."""

import json
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from test_cli_endings import TINY

from tl_search.cli.main import main
from tl_search.store.lock import RunLock


@pytest.fixture(autouse=True)
def _text(folder):
    Path("text.txt").write_text("a small world of words\n" * 400)


def evict(run):
    """What a process elsewhere does, to which this one has seemed dead."""
    (run / "run.lock" / "owner.json").write_text(json.dumps({"host": "elsewhere", "pid": 7, "attempt": "x"}))


@pytest.mark.slow
def test_a_training_that_was_taken_over_ends_with_one_line_and_writes_nothing_more(monkeypatch, capfd):
    fit = Trainer.fit

    def suspended(*args, **kwargs):
        evict(next(Path("runs/train").iterdir()))
        fit(*args, **kwargs)

    monkeypatch.setattr(Trainer, "fit", suspended)
    assert main(["train", *TINY]) == 4
    (run,) = Path("runs/train").iterdir()
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {run.resolve()}: process 7 on elsewhere has taken over the run") or last.startswith(
        f"error: {run}: process 7 on elsewhere has taken over the run"
    )
    assert not list(run.glob("revisions/step*"))
    assert not list(run.glob("checkpoints/step*"))
    assert not (run / "DONE.json").exists()


@pytest.mark.slow
def test_a_training_whose_process_was_killed_is_taken_over_aloud_and_tidied(capfd):
    assert main(["train", *TINY]) == 0
    (run,) = Path("runs/train").iterdir()
    for _ in range(2):  # a kill after the last file, before the lock was let go
        lock = RunLock(run)
        lock.owner |= {"pid": 2**22 - 1, "started": "1"}
        lock.__enter__()
        lock._stop.set()
        lock._fence.close()
        (run / "revisions" / ".aside-x").mkdir()
        capfd.readouterr()
        assert main(["train", *TINY]) == 0
        assert "taken over from process 4194303" in "".join(capfd.readouterr())
        assert not list(run.rglob(".aside-*"))
        assert {entry.name for entry in (run / "run.lock").iterdir()} == {"taken-over.json"}
