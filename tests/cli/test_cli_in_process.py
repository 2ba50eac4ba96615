"""Commands that make no run of their own leave nothing behind, one job or several."""

from pathlib import Path

import pytest

from tl_search.cli.main import main
from tl_search.errors.kinds import Terminated


def test_a_sweep_of_schedules_is_told_job_by_job_and_leaves_nothing(schedule, folder):
    lines = schedule("-m", "schedule=every,none", "horizon.total=9")
    assert [line for line in lines if line.startswith(("#", "Epoch"))] == [
        "# schedule=every",
        "Epoch 1 (0-9): 2 checkpoints: 0, 9",
        "# schedule=none",
        "Epoch 1 (0-9): 1 checkpoint: 9",
    ]
    assert list(folder.iterdir()) == []


def test_a_sweep_of_reports_writes_each_run_and_nothing_else(folder, monkeypatch, capsys):
    from tl_search.report import write

    told = []
    monkeypatch.setattr(write, "write_report", told.append)
    for name in ("one", "other"):
        (folder / name).mkdir()
        (folder / name / "run.json").write_text("{}")
    before = sorted(folder.rglob("*"))
    assert main(["report", "-m", "run=one,other"]) == 0
    assert told == [Path("one"), Path("other")]
    assert capsys.readouterr().out.splitlines() == ["# run=one", "# run=other"]
    assert sorted(folder.rglob("*")) == before


def test_what_is_wrong_with_one_job_is_told_before_any_starts(refused):
    assert refused("-m", "schedule=log,none", "schedule.min_checkpoint_interval=0,-1", "horizon.total=9").startswith(
        "schedule.min_checkpoint_interval: must be >= 0, got -1"
    )


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("error", "code", "jobs"), [(ValueError("a bug"), 1, 2), (Terminated(), 143, 1), (KeyboardInterrupt(), 130, 1)]
)
def test_an_error_ends_its_job_and_a_signal_all_of_them(folder, monkeypatch, capsys, error, code, jobs):
    from tl_search.cli.commands.schedule import command as schedule

    def fail(plan):
        raise error

    monkeypatch.setattr(schedule, "describe", fail)
    assert main(["schedule", "-m", "schedule=log,none", "horizon.total=9"]) == code
    assert capsys.readouterr().out.count("# schedule=") == jobs
