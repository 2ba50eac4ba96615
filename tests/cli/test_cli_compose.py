"""Where configs are looked for, and which jobs a command line stands for."""

import os

import pytest

from tl_search.cli import commands
from tl_search.cli.config.compose import CommandLine, compose_job, configs, jobs, parse
from tl_search.cli.config.preflight import preflight
from tl_search.cli.main import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(folder, name, text):
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# @package _global_\n" + text)


def values(command, *words):
    line = parse(command, words, commands.find(command).bare)
    with configs():
        return [compose_job(command, overrides) for overrides in jobs(line)]


def test_experiments_of_the_working_directory_are_a_group_and_the_command_line_has_the_last_word(here):
    study(
        here / "experiments" / "mine", "train", "defaults:\n  - override /schedule: linear\nseed: 7\neval_interval: 9\n"
    )
    (config,) = values("train", "experiments=mine/train", "eval_interval=5")
    assert config.schedule._target_.endswith("LinearSchedule")
    assert (config.seed, config.eval_interval) == (7, 5)


def test_other_folders_of_the_working_directory_are_no_groups(here, capsys):
    (here / "runs").mkdir()
    study(here / "data", "mine", "batch_size: 1\n")
    assert values("train", "runs=elsewhere", "seed=3")[0].runs == "elsewhere"
    assert main(["train", "--help"]) == 0
    assert "mine" not in capsys.readouterr().out
    assert main(["train", "data=mine"]) == 2
    assert "no option 'mine'" in capsys.readouterr().err


def test_tl_root_names_the_folder_instead_of_the_working_directory(here, monkeypatch):
    study(here / "elsewhere" / "experiments", "mine", "seed: 7\n")
    monkeypatch.setenv("TL_ROOT", "elsewhere")
    assert values("train", "experiments=mine")[0].seed == 7


@pytest.mark.parametrize("words", [["hydra.searchpath=[file://{}]"], ["--config-dir", "{}"], ["--config-dir={}"]])
def test_a_search_path_of_the_persons_own_joins_ours(here, words):
    study(here / "experiments", "mine", "seed: 7\n")
    (here / "more" / "schedule").mkdir(parents=True)
    (here / "more" / "schedule" / "twice.yaml").write_text(
        "_target_: tl_search.plane.schedules.linear.LinearSchedule\nlinear_interval: 2\n"
    )
    more = [word.format(here / "more") for word in words]
    (config,) = values("train", "experiments=mine", "schedule=twice", *more)
    assert (config.seed, config.schedule.linear_interval) == (7, 2)


@pytest.mark.parametrize("folder", ["with space", "it's", "comma,equals=", "ünï"])
def test_a_folder_of_any_name_can_be_worked_in_and_named(here, monkeypatch, folder):
    study(here / folder / "experiments", "mine", "seed: 7\n")
    monkeypatch.chdir(here / folder)
    (here / folder / "a run").mkdir()
    (config,) = values("search", str(here / folder / "a run"), "experiments=mine")
    assert (config.seed, config.checkpoints.path) == (7, str(here / folder / "a run"))


def test_a_sweep_is_every_combination_and_a_repeated_key_counts_once(here):
    configs_ = values("train", "-m", "seed=0,1", "schedule=log,linear", "eval_interval=3,4", "eval_interval=5")
    assert len(configs_) == 4
    assert {(c.seed, c.schedule._target_.rpartition(".")[2]) for c in configs_} == {
        (seed, name) for seed in (0, 1) for name in ("LogSchedule", "LinearSchedule")
    }


def test_a_sweep_in_a_study_is_a_sweep_too(here):
    study(
        here / "experiments",
        "mine",
        "hydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2,3', eval_interval: '4,5'}}}\n",
    )
    assert sorted(c.seed for c in values("train", "experiments=mine", "eval_interval=9")) == [1, 2, 3]


@pytest.mark.slow_but_one
@pytest.mark.parametrize("launcher", ["local", "slurm"])
def test_a_launcher_sends_even_a_single_job_away(launcher, monkeypatch):
    monkeypatch.chdir(os.path.join(os.path.dirname(__file__), "..", ".."))
    (config,) = values("train", f"launchers={launcher}")
    assert config.hydra.mode.name == "MULTIRUN"
    assert config.hydra.launcher._target_.startswith("hydra_plugins.hydra_submitit_launcher")
    assert config.hydra.launcher.timeout_min >= 11  # below, submitit takes every preemption for a time-out
    assert len(preflight(parse("train", [f"launchers={launcher}", "seed=0,1"]), commands.find("train"))) == 2


def test_hydras_own_flags_go_through(here, capfd):
    assert main(["search", "--cfg", "job", "--package", "budget", "budget.share=0.5"]) == 0
    assert "share: 0.5" in capfd.readouterr().out
    assert list(here.iterdir()) == []


def test_a_bare_word_is_the_commands_main_argument():
    line = parse("report", ["-m", "some run"], ("run={}",))
    assert isinstance(line, CommandLine)
    assert line.multirun
    assert line.overrides[0] == "run='some run'"
