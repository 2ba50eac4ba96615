"""Weights & Biases: what its logger is told, and what is said where the package is missing."""

import importlib.util
import sys
from types import SimpleNamespace

import lightning.pytorch.loggers
import pytest

from tl_search.training.loggers import WeightsAndBiases


def test_a_missing_package_is_one_line_that_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r"^logger\.wandb: needs the package wandb; install it with: pip install 'tl-search\[wandb\]'$"
    with pytest.raises(ValueError, match=message):
        WeightsAndBiases().start(tmp_path, -1)


def test_a_missing_login_is_one_line_that_says_what_needs_none(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(lightning.pytorch.loggers, "WandbLogger", lambda **told: told)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(login=lambda **_: False))
    with pytest.raises(ValueError, match=r"^logger\.wandb: needs a login .*offline=true"):
        WeightsAndBiases().start(tmp_path, -1)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(login=lambda **_: True))
    assert WeightsAndBiases().start(tmp_path, -1)["offline"] is False


def test_a_run_directory_is_one_of_its_runs_which_goes_on_when_the_run_does(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(lightning.pytorch.loggers, "WandbLogger", lambda **told: told)
    run = tmp_path / "tiny-0f3a"
    asked = WeightsAndBiases(project="words", entity="team", offline=True)
    assert asked.start(run, -1) == asked.start(run, 4) == {
        "name": run.name, "id": run.name, "resume": "allow", "save_dir": run,
        "project": "words", "entity": "team", "offline": True,
    }  # fmt: skip
