"""A schedule from a package outside, by its name alone and as an option."""

import sys
from pathlib import Path

import pytest

from tl_search.cli.main import main

FILES = {
    "my_steps/schedules/halves.py": (Path(__file__).parents[1] / "halves_schedule.py").read_text(),
    "conf/schedule/halves.yaml": "# Halves.\n_target_: my_steps.schedules.halves.Halves\nleast: 5  # smallest step\n",
}


@pytest.fixture
def outside(folder, monkeypatch, capsys):
    """Run a line of `tl schedule` beside an allowed package `my_steps`; its exit code and output."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(folder)

    def run(*words: str, allowed: str = "my_steps") -> tuple[int, str]:
        monkeypatch.setenv("TL_PLUGINS", allowed)
        capsys.readouterr()
        code = main(["schedule", *words])
        return code, "".join(capsys.readouterr())

    yield run
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_steps"]:
        del sys.modules[name]


LENGTH = ("tokenizer=bytes", "horizon.total=40")


def test_a_schedules_name_stands_for_its_default_settings(outside):
    code, said = outside(*LENGTH, "schedule=none", "schedule.also=[halves]")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 6 checkpoints: 1, 2, 5, 10, 20, 40")
    code, said = outside("diff", "halves", "none", "horizon.total=40")
    assert (code, said.splitlines()[1]) == (0, "only in halves: 5: 1, 2, 5, 10, 20")


def test_a_schedule_is_an_option_and_its_file_is_read_again(outside, folder):
    conf = f"hydra.searchpath=[file://{folder}/conf]"
    code, said = outside(*LENGTH, conf, "schedule=halves", "output=steps.yaml")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 4 checkpoints: 5, 10, 20, 40")
    code, said = outside(*LENGTH, "from=steps.yaml")
    assert (code, said.splitlines()[0]) == (0, "Epoch 1 (0-40): 4 checkpoints: 5, 10, 20, 40")


def test_a_package_that_is_not_allowed_brings_nothing(outside):
    code, said = outside(*LENGTH, "schedule.also=[halves]", allowed="")
    assert code == 2
    assert said.startswith("error: schedule.also[0]: must be the name of a schedule (every, explicit, linear, log, ")
