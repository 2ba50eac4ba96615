"""Help pages list what a command takes, its own settings and those that it shares with others."""

import pytest

from tl_search.cli.main import main


@pytest.mark.parametrize(
    ("command", "seed", "own"),
    [
        ("train", "random seed of the initial weights, the order of the data and dropout (0)", "resume"),
        ("run", "random seed of the training and of the search policy (0)", "budget.share"),
        ("schedule", "random seed of the initial weights, the order of the data and dropout (0)", "horizon.total"),
    ],
)
def test_settings_shared_by_commands_are_on_the_page_of_each_once(capsys, command, seed, own):
    assert main([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("seed", "eval_interval", "cache", own):
        assert sum(line.split()[:1] == [name] for line in lines) == 1, name
    assert any(line.split() == ["seed", *seed.split()] for line in lines)
    assert any(line.startswith("  model ") and " tiny*" in line for line in lines)
    assert any(line.startswith("  launchers ") for line in lines) == (command != "schedule")
