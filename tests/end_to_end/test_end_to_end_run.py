"""The demo's composition, shrunk to seconds: trains, searches, survives kill -9, resumes, and says the same."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tl_search.cli.main import main

SHRUNK = [
    "experiments=quickstart/run",
    "model.width=32",
    "model.blocks=1",
    "model.heads=2",
    "model.context=64",
    "trainer.max_steps=8",
    "data.batch_size=4",
    "optimizer.warmup_steps=2",
    "checkpoint.save_interval=4",
    "extraction.max_length=64",
    "tasks.names=[StdlibTypoClassification,StdlibHalvesPairClassification]",
    "confirm.resamples=100",
    "budget.share=0.5",
]


def command(runs: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tl_search", "run", f"runs={runs}", *SHRUNK, *more]


def run(runs: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(runs, *more), capture_output=True, text=True, timeout=300, check=False)


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def answer(runs: Path) -> dict:
    result = json.loads((only(runs / "run") / "result.json").read_text())
    del result["seconds"]  # the clock's, not the search's
    return result


def lines(folder: Path, pattern: str) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in folder.glob(pattern))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """In this process, which has imported the libraries already."""
    runs = tmp_path_factory.mktemp("undisturbed")
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        code = main(command(runs)[3:])
    assert code == 0, printed.getvalue()
    return runs, printed.getvalue()


def test_a_run_trains_searches_and_tells(undisturbed):
    runs, printed = undisturbed
    folder, result = only(runs / "run"), answer(runs)
    for word in ("last layer", "best layer", "95 % interval", "index.html", *map(str, result["best"]["arm"])):
        assert word in printed
    assert 0 < result["cost"]["share"] <= 1
    for made in ("report/index.html", "report/plane.png", "bandit_state.json", "DONE.json", "tensorboard"):
        assert (folder / made).exists()
    assert list(folder.glob("scores/**/*.json"))
    trained = only(runs / "train")
    steps = [json.loads(line)["step"] for line in (trained / "checkpoints/index.jsonl").read_text().splitlines()]
    assert steps[0] == 0
    assert steps[-1] == 8


@pytest.mark.slow
def test_the_same_command_again_changes_nothing_and_is_quick(undisturbed):
    runs, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.json") if "report" not in path.parts}
    started = time.monotonic()
    assert run(runs).returncode == 0
    assert time.monotonic() - started < 60
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {p for p in before if before[p] != after[p] and ("ledger" in p.parts or p.name == "result.json")} == set()


@pytest.mark.slow
def test_a_run_killed_three_times_ends_with_the_same_answer(undisturbed, tmp_path):
    reference, _ = undisturbed
    moments = [
        lambda: lines(tmp_path, "train/*/checkpoints/index.jsonl") >= 3,  # while it trains
        lambda: lines(tmp_path, "run/*/pulls.jsonl") >= 4,  # while it searches
        lambda: len(list(tmp_path.glob("ledger/replicates/**/*.safetensors"))) >= 3,  # while it confirms
    ]
    kept = {}
    for number, moment in enumerate(moments):
        victim = subprocess.Popen(
            command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 200
        while not moment():
            assert victim.poll() is None, f"it ended before kill {number}"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        for path, written in kept.items():
            assert path.stat().st_mtime_ns == written, f"{path} was written twice"
        kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("ledger/??/*.json")}
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert answer(tmp_path) == answer(reference)
    for name in ("pulls.jsonl", "bandit_state.json"):
        assert (only(tmp_path / "run") / name).read_bytes() == (only(reference / "run") / name).read_bytes()
    weights = "revisions/main/model.safetensors"
    assert (only(tmp_path / "train") / weights).read_bytes() == (only(reference / "train") / weights).read_bytes()


@pytest.mark.slow
def test_a_sweep_of_four_shares_one_training_and_every_score(undisturbed):
    runs, _ = undisturbed
    scored = {path: path.stat().st_mtime_ns for path in runs.glob("ledger/??/*.json")}
    done = run(runs, "-m", "bandit=ucb,ts", "sampling=sparse,dense")
    assert done.returncode == 0, done.stderr
    assert len(list((runs / "train").iterdir())) == 1
    results = list((runs / "run").glob("*/result.json"))
    assert len(results) >= 4
    assert all(path.stat().st_mtime_ns == written for path, written in scored.items())
