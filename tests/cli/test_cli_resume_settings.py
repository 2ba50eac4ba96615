"""`tl train resume=RUN SETTING=VALUE`: the run's own settings, and on top of them what the command line says."""

import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tiny_training import TINY, only_run

from tl_search.cli import commands
from tl_search.cli.config.compose import parse
from tl_search.cli.config.preflight import preflight
from tl_search.cli.config.resumed import with_choices
from tl_search.cli.main import main
from tl_search.errors.kinds import BadInput
from tl_search.store.atomic import read_json

SPACED = ("schedule=linear", "schedule.linear_interval=2", "callbacks.best.monitor=eval/perplexity")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was made of other options than the defaults; only to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("settings"))
        assert main(["train", *TINY, *SPACED]) == 0
        yield only_run()


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of it, in a working directory that holds nothing else."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(trained, tmp_path / "elsewhere" / trained.name, symlinks=True))


def settings(*words):
    """What the jobs of a command line would train with."""
    line = with_choices(parse("train", words))
    return [job.config for job in preflight(line, commands.find("train"))]


def setting(*words):
    (only,) = settings(*words)
    return only


def test_the_options_of_a_run_are_in_its_record(run):
    choices = OmegaConf.load(run / "config.yaml").choices
    assert (choices.schedule, choices.tokenizer, choices.data, choices.callbacks) == (
        "linear", "bytes", "files", "default",
    )  # fmt: skip
    assert "hydra/launcher" not in choices


@pytest.mark.parametrize("named", [(), ("schedule=linear",)], ids=["not named", "named"])
def test_a_setting_of_the_option_that_a_run_has_may_change_alone(run, named):
    schedule = setting(f"resume={run}", "trainer.max_steps=9", *named, "schedule.linear_interval=3").schedule
    assert (schedule.linear_interval, schedule.first_epoch_checkpoints) == (3, 2)


def test_another_option_replaces_the_settings_of_the_one_before(run):
    schedule = setting(f"resume={run}", "trainer.max_steps=9", "schedule=log").schedule
    assert schedule._target_.endswith("LogSchedule")
    assert schedule.first_epoch_checkpoints == "auto"


def test_a_misspelt_setting_is_told_by_the_keys_of_the_runs_option(run, capsys):
    assert main(["train", f"resume={run}", "schedule.linear_intervall=3"]) == 2
    assert "did you mean linear_interval?" in capsys.readouterr().err


def test_other_callbacks_leave_those_of_the_same_name_as_they_are(run):
    callbacks = setting(f"resume={run}", "callbacks=live").callbacks
    assert callbacks.best.monitor == "eval/perplexity"
    assert callbacks.plane_probe.tasks.names


def test_an_option_within_an_option_is_put_where_it_belongs(run):
    quick = setting(f"resume={run}", "callbacks=live")
    all_nine = setting(f"resume={run}", "callbacks=live", "tasks@callbacks.plane_probe.tasks=stdlib")
    assert len(all_nine.callbacks.plane_probe.tasks.names) > len(quick.callbacks.plane_probe.tasks.names)
    assert "tasks" not in all_nine


@pytest.mark.slow
def test_jobs_with_several_runs_have_each_their_own_settings(run):
    other = Path(shutil.copytree(run, run.with_name("other"), symlinks=True))
    record = OmegaConf.load(other / "config.yaml")
    record.schedule.linear_interval, record.choices.callbacks = 4, "live"
    OmegaConf.save(record, other / "config.yaml")
    jobs = settings("-m", f"resume={run},{other}", "trainer.max_steps=9", "schedule.first_epoch_checkpoints=3")
    assert [job.schedule.linear_interval for job in jobs] == [2, 4]
    assert [job.schedule.first_epoch_checkpoints for job in jobs] == [3, 3]
    assert main(["train", "-m", f"resume={run},{other}", "trainer.max_steps=5"]) == 0
    assert [OmegaConf.load(each / "config.yaml").choices.callbacks for each in (run, other)] == ["default", "live"]


@pytest.mark.slow
def test_a_run_without_recorded_options_is_resumed_all_the_same(run):
    record = OmegaConf.load(run / "config.yaml")
    del record.choices
    OmegaConf.save(record, run / "config.yaml")
    assert setting(f"resume={run}").schedule.linear_interval == 2
    with pytest.raises(BadInput, match="unknown key"):
        setting(f"resume={run}", "schedule.linear_interval=3")
    assert main(["train", f"resume={run}", "trainer.max_steps=5", "callbacks=default"]) == 0
    assert OmegaConf.load(run / "config.yaml").choices == {"callbacks": "default"}  # what is not known stays unknown


@pytest.mark.slow
def test_its_tokens_are_found_from_another_working_directory(run, trained):
    assert main(["train", f"resume={run}", "trainer.max_steps=5"]) == 0
    assert [path.name for path in Path().iterdir()] == ["elsewhere"]
    record = OmegaConf.load(run / "config.yaml")
    assert Path(record.cache) == trained.parents[1] / "cache"
    assert setting(f"resume={run}", "cache=here").cache == "here"
    assert record.choices.schedule == "linear"


@pytest.mark.slow
def test_a_training_of_tl_run_goes_on_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tl_search.cli.commands.search.execute", lambda *_, **__: 0)
    assert main(["run", *TINY, "schedule=linear"]) == 0
    run = only_run()
    every = ("schedule.linear_interval=1", "schedule.first_epoch_checkpoints=null")
    assert main(["train", f"resume={run}", "trainer.max_steps=6", *every]) == 0
    assert read_json(run / "DONE.json")["step"] == 6
    assert (run / "revisions" / "step5").is_dir()
