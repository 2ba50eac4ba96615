"""A schedule from a package outside, by its name alone and as an option, in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "my_steps/schedules/halves.py": (Path(__file__).parents[1] / "halves_schedule.py").read_text(),
    "conf/schedule/halves.yaml": "# Halves.\n_target_: my_steps.schedules.halves.Halves\nleast: 5  # smallest step\n",
}


@pytest.fixture
def outside(tmp_path):
    """Run Python beside a package `my_steps`, which the environment allows; its exit code and output."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*words: str, allowed: str = "my_steps") -> tuple[int, str]:
        more = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))), "TL_PLUGINS": allowed}
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env={**os.environ, **more}, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    return run


SCHEDULE = ("-m", "tl_search", "schedule", "tokenizer=bytes", "horizon.total=40")


def test_a_schedules_name_stands_for_its_default_settings(outside):
    code, said = outside(*SCHEDULE, "schedule=none", "schedule.also=[halves]")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 6 checkpoints: 1, 2, 5, 10, 20, 40")
    code, said = outside("-m", "tl_search", "schedule", "diff", "halves", "none", "horizon.total=40")
    assert (code, said.splitlines()[1]) == (0, "only in halves: 5: 1, 2, 5, 10, 20")


def test_a_schedule_is_an_option_and_its_file_is_read_again(outside, tmp_path):
    conf = f"hydra.searchpath=[file://{tmp_path}/conf]"
    code, said = outside(*SCHEDULE, conf, "schedule=halves", "output=steps.yaml")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 4 checkpoints: 5, 10, 20, 40")
    code, said = outside(*SCHEDULE, "from=steps.yaml")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 4 checkpoints: 5, 10, 20, 40")


def test_a_package_that_is_not_allowed_brings_nothing(outside):
    code, said = outside(*SCHEDULE, "schedule.also=[halves]", allowed="")
    assert code == 2
    assert said.startswith("error: schedule.also[0]: must be the name of a schedule (every, explicit, linear, log, ")
