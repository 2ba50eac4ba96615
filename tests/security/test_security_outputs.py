"""A shared file, or a run to go on with, says no place to write to but those of the run; a person says any."""

import shutil
from pathlib import Path

import pytest
import yaml
from security.conftest import SMALL

from tl_search.cli import commands
from tl_search.cli.config.compose import compose_job, configs, parse
from tl_search.cli.config.outputs import FOLDERS
from tl_search.cli.config.preflight import check
from tl_search.cli.main import main

CSV = "lightning.pytorch.loggers.CSVLogger"
PLACES = {
    "runs: VICTIM": "runs: must be in the run's directories",
    "runs: ../victim": "runs: must be in the run's directories",
    "cache: VICTIM/tokens": "cache: must be in the run's directories",
    "ledger: linked": "ledger: must be in the run's directories",
    "embeddings: ${oc.env:HOME}/victim": "embeddings: must be in the run's directories",
    "hydra: {sweep: {dir: VICTIM}}": "hydra.sweep.dir: must be in runs=",
    "hydra: {run: {dir: VICTIM}}": "hydra.run.dir: must be left out",
    "hydra: {sweep: {dir: .., subdir: 'work/${hydra.run.dir}'}}": "hydra.sweep.dir: must be in runs=",
    "hydra: {job_logging: {handlers: {file: {filename: VICTIM/x.log}}}}": "filename: must be in the run directory",
    "hydra: {job_logging: {handlers: {file: {filename: x.log}}}}": "filename: must be in the run directory",
    "hydra: {job_logging: {handlers: {file: {filename: '${hydra.runtime.output_dir}/run.json'}}}}": "filename: must be",
    f"logger: {{x: {{_target_: {CSV}, save_dir: VICTIM}}}}": "logger.x.save_dir: must be in the run's directories",
    f"logger: {{x: {{_target_: {CSV}, save_dir: logs}}}}": "logger.x.save_dir: must be in the run's directories",
    f"logger: {{x: {{_target_: {CSV}, name: ../../../../victim}}}}": "logger.x.name: must be in the run's directories",
    f"logger: {{x: {{_target_: {CSV}, save_dir: linked}}}}": "logger.x.save_dir: must be in the run's",
    f"logger: {{x: {{_target_: {CSV}, version: ../../victim}}}}": "logger.x.version: must be in the run's",
    "trainer: {profiler: {_target_: lightning.pytorch.profilers.SimpleProfiler, dirpath: VICTIM}}": "dirpath: must",
}


@pytest.fixture
def victim(here, tmp_path, monkeypatch):
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "kept").write_text("kept")
    (here / "linked").symlink_to(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SCRATCH", "WORK", "DATA", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.mark.parametrize("text", PLACES)
@pytest.mark.slow_but_every(3)
def test_a_shared_file_says_no_place_outside(text, victim, shared, train):
    shared("experiments/mine.yaml", f"# @package _global_\n{text.replace('VICTIM', str(victim))}\n")
    assert PLACES[text] in train("experiments=mine")
    assert [path.name for path in victim.iterdir()] == ["kept"]


def test_neither_does_a_sweep_in_a_file(victim, shared, train):
    swept = f"{{mode: MULTIRUN, sweeper: {{params: {{runs: {victim}}}}}}}"
    shared("experiments/mine.yaml", f"# @package _global_\nhydra: {swept}\n")
    assert "runs: must be in the run's directories" in train("experiments=mine")


def test_a_file_to_be_written_is_named_by_the_person(here, shared, refused):
    shared("experiments/mine/schedule.yaml", "# @package _global_\noutput: notes.yaml\n")
    said = refused("schedule", "experiments=mine/schedule", "horizon.total=10")
    assert said.startswith("output: must be given on the command line")


def test_a_person_says_any_place(victim, here, shared):
    scratch = here.parent / "scratch"
    shared("experiments/mine.yaml", f"# @package _global_\nruns: {victim}\n")
    words = [f"runs={scratch}", f"ledger={victim}", f"+logger.x={{_target_: {CSV}}}"]
    words += [f"+logger.x.save_dir={victim}", "experiments=mine"]
    line = parse("train", [*SMALL, *words])
    with configs():
        job = check(commands.find("train"), compose_job("train", line.overrides), line.overrides)
    assert job.folder.is_relative_to(scratch)


def test_a_run_to_go_on_with_says_no_place_outside(victim, here, trained, monkeypatch):
    run = here / "runs" / "train" / trained.name
    shutil.copytree(trained, run, symlinks=True)
    settings = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**settings, **dict.fromkeys(FOLDERS, str(victim))}))
    with pytest.warns(UserWarning, match=rf"cache: {victim} is left out.*cache={victim}"):
        assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert [path.name for path in victim.iterdir()] == ["kept"]
    record = yaml.safe_load((run / "config.yaml").read_text())
    assert Path(record["cache"]).is_relative_to(here)
