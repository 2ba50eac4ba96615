"""Every way to end has its exit code; and what the program says of itself."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tl_search.cli import commands
from tl_search.cli.explain import explain
from tl_search.cli.main import main
from tl_search.errors import stopping
from tl_search.errors.exit_codes import worst
from tl_search.errors.kinds import BadInput, LockedError, Terminated
from tl_search.plane.schedules.log import LogSchedule
from tl_search.store.atomic import read_json
from tl_search.store.lock import RunLock

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    *("trainer.max_steps=2", "trainer.accelerator=cpu", "logger=none", "tokenizer=bytes"),
    *("model.width=16", "model.blocks=2", "model.heads=2", "model.context=32", "schedule.first_epoch_checkpoints=2"),
    *("data=files", "data.corpus.path=text.txt", "data.batch_size=2", "data.validation_share=0"),
)


def raised(make):
    try:
        make()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("seed: bad"), 2, "error: seed: bad"),
        (LockedError("in use by process 7"), 4, "error: in use by process 7"),
        (OSError(errno.ENOSPC, "No space left on device", "/runs/x"), 75, "/runs/x: No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 75, "Disk quota exceeded"),
        (OSError(errno.EROFS, "Read-only file system"), 75, "Read-only"),
        (OSError(errno.EACCES, "Permission denied", "/runs"), 2, "error: /runs: Permission denied"),
        (OSError(errno.ENOTDIR, "Not a directory", "file/x"), 2, "error: file/x: Not a directory"),
        (ConnectionError("Couldn't reach 'a/b' on the Hub"), 75, "error: Couldn't reach 'a/b' on the Hub; the same"),
        (ChildProcessError("a process was killed"), 75, "error: a process was killed; the same command goes on"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Terminated(), 143, "terminated"),
        (SystemExit(143), 143, "terminated"),
        (SystemExit(), 143, "terminated"),  # Lightning's, of SIGTERM while it starts
        (SystemExit(75), 75, "to be queued again; the same command goes on"),
        (KeyError("step"), 1, "Traceback"),
        (ValueError("a library's"), 1, "Traceback"),
    ],
    ids=repr,
)
def test_an_error_has_its_exit_code_and_its_line(error, code, said):
    found, message = explain(raised(lambda: fail(error)))
    assert found == code
    assert said in message


def test_a_sentence_that_we_wrote_is_bad_input_and_a_full_disk_below_any_error_is_told():
    assert explain(raised(lambda: LogSchedule(log_base=1))) == (2, "error: log_base: must be > 1, got 1")

    def write():
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("could not write tensor") from error

    assert explain(raised(write))[0] == 75


def test_what_a_signal_has_cut_off_half_way_is_no_bug():
    with stopping.one_command():
        with suppress(Terminated):
            stopping.ask(Terminated(), None)
        # a library that was interrupted may raise something else in its own clean-up
        assert explain(raised(lambda: fail(AttributeError("half-made")))) == (
            143,
            "terminated; the same command goes on from here",
        )
        assert explain(raised(lambda: fail(BadInput("seed: bad"))))[0] == 2
    assert explain(raised(lambda: fail(AttributeError("half-made"))))[0] == 1


def test_diverged_training_has_its_own_code():
    from tl_search.errors.kinds import DivergedError

    assert explain(raised(lambda: fail(DivergedError("loss is nan"))))[0] == 5


@pytest.mark.parametrize(
    ("codes", "whole"), [([], 0), ([0, 3], 3), ([3, 2, 0], 2), ([75, 2], 75), ([5, 1], 1), ([0, 130], 130)]
)
def test_a_sweep_ends_with_the_code_that_asks_most_of_the_person(codes, whole):
    assert worst(codes) == whole


def test_help_names_every_command_every_option_and_three_examples(capsys):
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in (*commands.NAMES, "init"):
        assert name in overview
        assert main([name, "--help"]) == 0
        page = capsys.readouterr().out
        assert page.count("\n  # ") >= 3 or name == "init"
    assert main(["search", "-h"]) == 0
    page = capsys.readouterr().out
    for option in (ROOT / "conf" / "bandit").glob("*.yaml"):
        assert option.stem in page
    assert "ucb*" in page
    assert "budget.share" in page


def test_no_command_is_bad_input(capsys):
    assert main([]) == 2
    assert "usage: tl COMMAND" in capsys.readouterr().err


def test_a_run_trains_once_and_the_same_command_changes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("a small world of words\n" * 400)
    assert main(["train", *TINY]) == 0
    (run,) = Path("runs/train").iterdir()
    assert (run / "DONE.json").exists()
    about = read_json(run / "run.json")
    assert (about["command"], about["seed"]) == ("train", 0)
    assert run.name == f"{about['name']}-{about['digest']}"
    settings = [file.read_text() for file in run.glob("*/*/run.yaml")]  # of revisions and of full states
    assert len(settings) >= 4
    assert set(settings) == {(run / "config.yaml").read_text()}
    before = {path: path.stat().st_mtime_ns for path in (run / "revisions").rglob("*")}
    assert main(["train", "-m", *TINY, "trainer.max_steps=2,2"]) == 0  # a sweep finds it too
    assert {path: path.stat().st_mtime_ns for path in (run / "revisions").rglob("*")} == before
    assert [path.name for path in Path("runs/train").iterdir() if path.is_dir()] == [run.name]
    with RunLock(run):
        other = subprocess.run(
            [sys.executable, "-m", "tl_search", "train", *TINY],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert other.returncode == 4
    assert f"in use by process {os.getpid()}" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.slow
def test_a_mistake_that_shows_late_leaves_no_run_behind_and_can_be_mended(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("too little")
    assert main(["train", *TINY]) == 2
    assert "data: must fill a step" in capfd.readouterr().err
    assert not Path("runs/train").exists()
    Path("text.txt").write_text("a small world of words\n" * 400)
    assert main(["train", *TINY]) == 0
    (run,) = Path("runs/train").iterdir()
    assert f"search it: tl search {run.resolve()}" in capfd.readouterr().err


@pytest.mark.parametrize("key", ["cache", "runs"])
def test_a_file_where_a_folder_should_be_is_told_before_anything_starts(tmp_path, monkeypatch, capsys, key):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("words")
    assert main(["train", *TINY, f"{key}=text.txt"]) == 2
    assert (
        f"text.txt: is a file, but a folder is needed there ({key}=FOLDER names another one)" in capsys.readouterr().err
    )


def test_sigterm_ends_a_command_with_143(tmp_path):
    script = (
        "import time; from tl_search.cli import main as m\n"
        "m._dispatch = lambda words: (print('up', flush=True), time.sleep(60))\n"
        "raise SystemExit(m.main([]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 143
    assert error == "terminated; the same command goes on from here\n"


@pytest.mark.slow
def test_a_job_in_another_process_brings_its_code_home(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shutil.copytree(ROOT / "launchers", "launchers")
    Path("text.txt").write_text("a small world of words\n" * 400)
    Path("json.py").write_text("open('ran', 'w')")  # nor does the process take code from where it happens to start
    assert main(["train", *TINY, "launchers=local", "data.batch_size=100000"]) == 2
    told = capfd.readouterr().err
    assert "error: data: must fill a step of 100000" in told
    assert [line.rpartition("/")[2] for line in told.splitlines() if line.startswith("job 0: runs/train/")] == [
        "train.log"
    ]
    assert not Path("ran").exists()
