"""A schedule, a sampling and an objective from a package outside: a file and a config each, in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "my_steps/schedules/halves.py": '''
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
''',
    "my_steps/parts.py": '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Ends:
    """The first and the last revision."""

    def pick(self, revisions):
        return (revisions[0], revisions[-1])


@dataclass(frozen=True)
class FirstTask:
    """The first task counts `share`, all others share the rest."""

    share: float

    def weights(self, tasks):
        return {task.name: self.share if task is tasks[0] else (1 - self.share) / (len(tasks) - 1) for task in tasks}
''',
    "conf/schedule/halves.yaml": "# Halves.\n_target_: my_steps.schedules.halves.Halves\nleast: 5  # smallest step\n",
    "conf/sampling/ends.yaml": "# Both ends.\n_target_: my_steps.parts.Ends\n",
    "conf/objective/first.yaml": "# The first task.\n_target_: my_steps.parts.FirstTask\nshare: 0.5  # its weight\n",
}
SEARCH = """
import sys
from tl_search.cli.commands import find
from tl_search.cli.config.compose import compose_job, configs
from tl_search.cli.config.preflight import check

with configs():
    plan = check(find("search"), compose_job("search", sys.argv[1:])).plan
print(plan.sampling, plan.objective)
"""


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


def test_a_sampling_and_an_objective_are_options(outside, tmp_path):
    conf = f"hydra.searchpath=[file://{tmp_path}/conf]"
    code, said = outside("-c", SEARCH, conf, f"checkpoints.path={tmp_path}", "sampling=ends", "objective=first")
    assert (code, said) == (0, "Ends() FirstTask(share=0.5)\n")


def test_a_package_that_is_not_allowed_brings_nothing(outside, tmp_path):
    code, said = outside(*SCHEDULE, "schedule.also=[halves]", allowed="")
    assert code == 2
    assert said.startswith("error: schedule.also[0]: must be the name of a schedule (every, explicit, linear, log, ")
    code, said = outside(*SCHEDULE, f"hydra.searchpath=[file://{tmp_path}/conf]", "schedule=halves", allowed="")
    assert code == 2
    assert said.startswith("error: schedule._target_: my_steps.schedules.halves.Halves is not allowed here")
