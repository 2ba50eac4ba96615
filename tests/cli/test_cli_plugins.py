"""`plugins=[my_package]` on the command line, and nothing else, lets a command use a package of one's own."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from cli.tiny_training import TINY, only_run
from omegaconf import OmegaConf

from tl_search.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
HALVES = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Halves:
    """Half of the run, and its end."""

    def steps(self, horizon):
        return (horizon.total // 2, horizon.total)

    def kept(self, horizon):
        return {horizon.total}
'''
MINE = ("plugins=[mine_outside]", "schedule=halves")


@pytest.fixture
def mine(folder):
    """A package `mine_outside` in the working directory, with a schedule and its option."""
    for name, text in {
        "schedules/halves.py": HALVES,
        "broken.py": "1 / 0",
        "conf/schedule/halves.yaml": "# Theirs.\n_target_: mine_outside.schedules.halves.Halves\n",
    }.items():
        path = folder / "mine_outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield folder / "mine_outside"
    for module in [name for name in sys.modules if name.startswith("mine")]:
        del sys.modules[module]


def own_settings(words):
    """Those of the tiny training that a schedule without settings can have."""
    return [word for word in words if not word.startswith("schedule.")]


def test_a_package_is_allowed_by_its_name_and_only_for_this_command(mine, capsys):
    before = dict(os.environ), list(sys.path)
    assert main(["schedule", *MINE, "horizon.total=10"]) == 0
    out, err = capsys.readouterr()
    assert "Epoch 1 (0-10): 2 checkpoints: 5, 10" in out
    assert err == f"plugins: code of these packages may run: mine_outside ({mine})\n"
    assert (dict(os.environ), list(sys.path)) == before
    assert main(["schedule", "schedule._target_=mine_outside.schedules.halves.Halves", "horizon.total=10"]) == 2
    assert "plugins=[mine_outside] allows its classes and runs its code" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_recorded_but_a_resumed_run_does_not_inherit_it(mine, capsys):
    assert main(["train", *own_settings(TINY), *MINE]) == 0, capsys.readouterr().err
    run = only_run()
    assert json.loads((run / "run.json").read_text())["plugins"] == ["mine_outside"]
    assert OmegaConf.load(run / "config.yaml").plugins == ["mine_outside"]
    capsys.readouterr()
    assert main(["train", f"resume={run}"]) == 2
    assert "mine_outside.schedules.halves.Halves is not allowed here" in capsys.readouterr().err
    assert main(["train", f"resume={run}", "plugins=mine_outside"]) == 0, capsys.readouterr().err
    assert main(["evaluate", f"{run}", "plugins=[mine_outside]"]) == 0, capsys.readouterr().err


@pytest.mark.slow
def test_it_changes_no_digest_by_itself(mine, capsys):
    assert main(["train", *TINY]) == 0
    run = only_run()
    assert main(["train", *TINY, "plugins=[mine_outside]"]) == 0, capsys.readouterr().err
    assert only_run() == run


def test_a_config_file_cannot_allow_a_package(mine, folder, capsys):
    (folder / "experiments").mkdir()
    (folder / "experiments" / "theirs.yaml").write_text("# @package _global_\nplugins: [mine_outside]\n")
    assert main(["train", "experiments=theirs"]) == 2
    assert "plugins: must be given on the command line" in capsys.readouterr().err
    assert main(["train", "experiments=theirs", "schedule=halves", "plugins=[]"]) == 2
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("plugins=[mine_outsid]", "plugins: there is no Python package mine_outsid, installed or in "),
        ("plugins=[mine_outsid]", "did you mean mine_outside?"),
        (
            "plugins=[mine-outside]",
            "plugins: must be a list of Python packages, as in plugins=[my_package], got",
        ),
        ("plugins=a,b", "plugins: must be a list of Python packages"),
        ("plugins=[a,b", "plugins: must be a list of Python packages"),
    ],
)
def test_a_package_that_is_not_there_is_refused_in_one_line(mine, refused, word, said):
    assert said in refused(word, "horizon.total=10")


def test_a_module_of_theirs_that_fails_is_told_in_one_line(mine, capsys):
    assert main(["schedule", "plugins=[mine_outside]", "schedule._target_=mine_outside.broken.Halves"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "schedule._target_: mine_outside.broken cannot be imported (ZeroDivisionError: division by zero)" in error


@pytest.mark.slow
def test_the_readmes_own_policy_and_own_task_work_as_written(mine, folder, capsys):
    text = (ROOT / "README.md").read_text().partition("## Your own policy, your own task")[2].partition("\n## ")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    for _, block in blocks:
        if name := re.match(r"# (\S+/\S+)\n", block):
            (folder / name[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / name[1]).write_text(block)
    assert main(["train", *TINY]) == 0
    (line,) = (block for language, block in blocks if language == "bash")
    _, *words = shlex.split(line.replace("runs/train/RUN", str(only_run())))
    assert main([*words, "confirm.resamples=100", "probe.accelerator=cpu"]) == 0, capsys.readouterr().err
    (run,) = (path for path in (folder / "runs" / "search").iterdir() if path.is_dir())
    assert json.loads((run / "plane.json").read_text())["weights"].keys() == {"CapitalClassification"}
    assert json.loads((run / "bandit_state.json").read_text())["policy"] == "late"
    # the lines of the notebooks' page, on a search whose policy has a posterior
    more = [word for word in words if word != "bandit=late"]
    assert main([*more, "confirm.resamples=100", "probe.accelerator=cpu"]) == 0, capsys.readouterr().err
    (run,) = (path for path in (folder / "runs" / "search").glob("ucb-*"))
    notebook = (ROOT / "notebooks" / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    exec(notebook.replace("runs/run/NAME", str(run)).replace("runs/train/NAME", str(only_run())), {})
    assert ", 16])" in capsys.readouterr().out
