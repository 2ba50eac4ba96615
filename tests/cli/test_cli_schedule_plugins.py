"""A schedule from a package outside this one: a file and a config, used in a fresh process by `tl schedule`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HALVES = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Halves:
    """Half of the run, half of that, and so on."""

    least: int = 1

    def steps(self, horizon):
        found = [horizon.total]
        while found[-1] // 2 >= self.least:
            found.append(found[-1] // 2)
        return tuple(reversed(found))

    def kept(self, horizon):
        return {horizon.total}
'''
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def outside(tmp_path):
    """Run a line of `tl schedule` beside a package `my_steps`, which the environment allows; its output and code."""
    (tmp_path / "my_steps" / "schedules").mkdir(parents=True)
    (tmp_path / "my_steps" / "schedules" / "halves.py").write_text(HALVES)

    def run(*words: str, allowed: str = "my_steps") -> tuple[int, str]:
        paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))), "TL_PLUGINS": allowed}
        line = [sys.executable, "-m", "tl_search", "schedule", "tokenizer=bytes", *words]
        done = subprocess.run(line, cwd=tmp_path, env={**os.environ, **paths}, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_its_name_stands_for_it(outside):
    code, said = outside("schedule=none", "schedule.also=[halves]", "horizon.total=40")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 6 checkpoints: 1, 2, 5, 10, 20, 40")
    code, said = outside("diff", "halves", "none", "horizon.total=40")
    assert (code, said.splitlines()[1]) == (0, "only in halves: 5: 1, 2, 5, 10, 20")


def test_a_package_that_is_not_allowed_brings_none(outside):
    code, said = outside("schedule.also=[halves]", "horizon.total=40", allowed="")
    assert code == 2
    assert said.startswith("error: schedule.also[0]: must be the name of a schedule (every, explicit, linear, log, ")
