"""A signal whose exception is swallowed ends a search all the same, before its next cell or batch."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from test_search_command import QUICK

import tl_search.cli.main as cli
from tl_search.probe.module import Probe
from tl_search.scoring.uncertainty import resample
from tl_search.search.run import run_search

ENDS = [
    (signal.SIGINT, 130, "interrupted; the same command goes on from here\n"),
    (signal.SIGTERM, 143, "terminated; the same command goes on from here\n"),
    (signal.SIGUSR1, 75, "stopped as it was asked to, to be queued again; the same command goes on\n"),
]


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A shell starts what it runs in the background deaf to it, and tests may run there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Finaliser:
    """What Python collects just as the signal comes: an exception that is raised here goes no further."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)


class Deaf:
    """A library that catches whatever comes; a callback of a weak reference is like it."""

    def __init__(self, number):
        with suppress(BaseException):
            os.kill(os.getpid(), number)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("swallow", [Finaliser, Deaf])
@pytest.mark.parametrize(("number", "code", "line"), ENDS)
def test_a_search_ends_before_its_next_cell_although_the_exception_was_swallowed(
    folder, models, tiny, monkeypatch, capfd, number, code, line, swallow
):
    scored, score = [], resample.estimate_cell

    def told(arm, task, vectors):
        scored.append(arm)
        swallow(number)
        return score(arm, task, vectors)

    monkeypatch.setattr(resample, "estimate_cell", told)
    assert cli.main(["search", "-m", "checkpoints=folder", f"checkpoints.path={models}", *QUICK, "seed=0,1"]) == code
    said = capfd.readouterr().err
    assert said.endswith(line)
    assert "Exception ignored" not in said
    assert len(scored) == 1
    assert len(list(Path("runs/ledger").rglob("*.json"))) >= 1  # the cell that was under way is kept


def test_a_column_ends_after_its_batch_although_the_exception_was_swallowed(folder, models, tiny, monkeypatch, capfd):
    batches, step = [], Probe.predict_step

    def told(self, *args):
        batches.append(1)
        Finaliser(signal.SIGTERM)
        return step(self, *args)

    monkeypatch.setattr(Probe, "predict_step", told)
    assert cli.main(["search", "checkpoints=folder", f"checkpoints.path={models}", *QUICK]) == 143
    assert capfd.readouterr().err.endswith("terminated; the same command goes on from here\n")
    assert len(batches) == 1


@pytest.mark.slow
def test_what_killed_searches_left_in_the_ledger_is_removed_and_what_is_being_written_is_not(plan, tmp_path):
    searched = plan()
    old, new = (searched.ledger / "ab" / f".aside-{name}" for name in ("old", "new"))
    old.parent.mkdir(parents=True)
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    assert run_search(searched, tmp_path / "run") == 0
    assert not old.exists()
    assert new.exists()
