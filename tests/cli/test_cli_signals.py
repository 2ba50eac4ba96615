"""A signal has its exit code and its one line whenever it comes, and ends a sweep too."""

import os
import signal
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from test_cli_endings import TINY

import tl_search.cli.main as cli
from tl_search.text.files import TextFiles

AGAIN = "stopped as it was asked to, to be queued again; the same command goes on\n"
ENDS = [
    (signal.SIGINT, 130, "interrupted; the same command goes on from here\n"),
    (signal.SIGTERM, 143, "terminated; the same command goes on from here\n"),
    (signal.SIGUSR1, 75, AGAIN),
    (signal.SIGUSR2, 75, AGAIN),
]


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A shell starts what it runs in the background deaf to it, and tests may run there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def tell(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code", "line"), ENDS)
def test_while_the_command_line_is_being_read(monkeypatch, capsys, number, code, line):
    before = signal.getsignal(number)
    monkeypatch.setattr(cli, "_dispatch", lambda words: tell(number))
    assert cli.main([]) == code
    assert capsys.readouterr().err == line
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"), (signal.SIGUSR1, "stopped as it was asked to")],
)
@pytest.mark.parametrize("place", ["tl_search.cli.in_process.preflight", "tl_search.report.listing.print_listing"])
def test_a_command_that_leaves_nothing_behind_does_not_say_that_it_goes_on(
    folder, monkeypatch, capsys, place, number, line
):
    """Before its work begins, and during it."""
    (folder / "runs").mkdir()
    monkeypatch.setattr(place, lambda *_: tell(number))
    assert cli.main(["list"]) in (130, 143, 75)
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.slow_but_one
@pytest.mark.parametrize(("number", "code", "line"), ENDS)
def test_while_text_is_read_no_other_job_begins(folder, monkeypatch, capfd, number, code, line):
    read = []
    Path("text.txt").write_text("a small world of words\n" * 400)
    monkeypatch.setattr(TextFiles, "documents", lambda self: read.append(self) or tell(number))
    assert cli.main(["train", "-m", *TINY, "seed=0,1"]) == code
    assert capfd.readouterr().err == line
    assert len(read) == 1


@pytest.mark.slow_but_one
@pytest.mark.parametrize(("number", "code", "line"), ENDS)
def test_after_the_last_step_the_job_is_done_and_no_other_begins(folder, monkeypatch, capfd, number, code, line):
    fit = Trainer.fit

    def told(*args, **kwargs):
        fit(*args, **kwargs)
        tell(number)

    Path("text.txt").write_text("a small world of words\n" * 400)
    monkeypatch.setattr(Trainer, "fit", told)
    assert cli.main(["train", "-m", *TINY, "seed=0,1"]) == code
    assert capfd.readouterr().err.endswith(line)
    (done,) = Path("runs/train").glob("*/DONE.json")
    assert (done.parent / "revisions" / "main").exists()
    assert len(list(Path("runs/train").glob("*/"))) == 1
