"""An experiment that is for one command is refused by the others, and the line names the command that it is for."""

import shutil
from pathlib import Path

import pytest

from tl_search.cli.config.compose import compose_job, configs, parse
from tl_search.cli.main import main

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.fixture(autouse=True)
def studies(folder):
    shutil.copytree(EXPERIMENTS / "quickstart", folder / "experiments" / "quickstart")
    return folder / "experiments"


@pytest.fixture
def told(folder, capsys):
    """The one line that refuses a command line; nothing may be written."""

    def run(*words: str) -> str:
        before = sorted(folder.rglob("*"))
        assert main(words) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        assert sorted(folder.rglob("*")) == before
        return captured.err.removeprefix("error: ").rstrip("\n")

    return run


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("command", "study", "right"),
    [("train", "run", "run"), ("schedule", "run", "run"), ("run", "train", "train"), ("run", "search", "search"),
     ("search", "train", "train"), ("train", "search", "search")],
)  # fmt: skip
def test_another_command_is_named(told, command, study, right):
    line = told(command, f"experiments=quickstart/{study}")
    assert line.startswith(f"experiments=quickstart/{study}: is for tl {right}, not for tl {command}")


@pytest.mark.parametrize(
    ("command", "words"),
    [("train", ["experiments=quickstart/train"]), ("schedule", ["experiments=quickstart/train"]),
     ("search", ["experiments=quickstart/search"]), ("run", ["experiments=quickstart/run"]),
     ("run", ["experiments=[quickstart/train,quickstart/search]", "command=run"])],
)  # fmt: skip
def test_its_own_command_takes_it_and_others_do_so_on_request(command, words):
    with configs():
        compose_job(command, parse(command, words).overrides)


@pytest.mark.slow
def test_an_experiment_that_says_nothing_is_for_every_command_whose_settings_it_fits(studies, told):
    (studies / "plain.yaml").write_text("# @package _global_\nseed: 7\n")
    (studies / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - override /sampling: log\n")
    with configs():
        assert [compose_job(name, parse(name, ["experiments=plain"]).overrides).seed for name in ("train", "run")] == [
            7,
            7,
        ]
    assert told("train", "experiments=mine") == "experiments=mine: is for tl search and tl run, not for tl train"


def test_a_command_that_does_not_exist_is_answered_with_the_nearest(studies, told):
    (studies / "mine.yaml").write_text("# @package _global_\ncommand: trian\n")
    assert told("train", "experiments=mine").startswith("command: must be the name of a command, got 'trian'; did you ")


@pytest.mark.parametrize("word", ["quickstart/rum", "quickstat/run", "quickstart", "run"])
def test_the_options_of_nested_groups_are_listed(told, word):
    line = told("train", f"experiments={word}")
    assert line.startswith(f"experiments: no option '{word}'")
    assert line.endswith("(options: quickstart/run, quickstart/search, quickstart/train)")
    assert ("; did you mean quickstart/run?" in line) == (word != "run")
