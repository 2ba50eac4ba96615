"""Runs that an earlier version wrote are found, gone on with, searched and reported as if nothing had changed."""

import json
from collections import Counter
from dataclasses import fields

import pytest

from tl_search.bandits.stopping import Stopping
from tl_search.bandits.ucb import UCB
from tl_search.checkpoints.run import RunCheckpoints
from tl_search.cli.main import main
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Mean
from tl_search.plane.sampling import All
from tl_search.probe.config import ProbeConfig
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.outcome import Outcome
from tl_search.runs.pointers import pointers
from tl_search.runs.pulls import BanditState
from tl_search.runs.record import Done, RunRecord
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.scoring.suites import Suite
from tl_search.search.budget import Budget
from tl_search.search.confirm import Confirm
from tl_search.search.run import SearchPlan, run_search
from tl_search.store import manifest
from tl_search.store.typed_json import to_plain

TINY = (
    *("tokenizer=bytes", "model.width=8", "model.blocks=2", "model.heads=2", "model.context=16"),
    *("model.rotary_share=0.5", "data=files", "data.corpus.path=text", "data.batch_size=2"),
    *("data.validation_share=0.2", "data.validation_batches=2", "optimizer.warmup_steps=1"),
    *("trainer.accelerator=cpu",),
)


@pytest.fixture
def study(old_runs, monkeypatch):
    monkeypatch.chdir(old_runs)
    return old_runs


def run_of(study, pattern):
    (found,) = (study / "runs").glob(pattern)
    return found.relative_to(study)


@pytest.mark.slow
def test_the_same_command_finds_a_killed_training_and_ends_it(study, capsys):
    words = (
        *("trainer.max_steps=400", "checkpoint.save_interval=50", "checkpoint.save_last=1", "schedule=explicit"),
        *("schedule.checkpoint_schedule=[2,50]", "name=stopped", "eval_interval=100"),
    )
    run, before = run_of(study, "train/stopped-*"), len(list((study / "runs/train").iterdir()))
    assert Done.read(run) is None
    assert main(["train", *TINY, *words]) == 0
    assert "continuing from step 50" in capsys.readouterr().err
    assert len(list((study / "runs/train").iterdir())) == before
    assert [line.step for line in read_index(run)] == [0, 2, 50, 171, 342, 400]
    assert read_index(run)[2].tokens == 50 * 32
    assert Done.read(run).facts["step"] == 400
    assert RunRecord.read(run).versions["tl-search"] == "0.1.0"


@pytest.mark.slow
def test_a_run_with_a_history_goes_on_for_longer(study):
    run = run_of(study, "train/longer-*")
    before = RunRecord.read(run)
    assert main(["train", f"resume={run}", "data.corpus.path=text", "trainer.max_steps=8", "lr_policy=restart"]) == 0
    after = RunRecord.read(run)
    assert after.history[:-1] == before.history
    assert (after.history[-1]["step"], after.history[-1]["total"]) == (6, [6, 8])
    assert [line.step for line in read_index(run)] == [0, 4, 6, 8]
    assert after.data == before.data  # and so are the rules by which its text becomes tokens
    assert after.plan["data"] == before.plan["data"]  # the place where the text lay when the run was started


@pytest.mark.slow
def test_a_full_state_is_hashed_once_before_training(study, monkeypatch):
    run, hashed, real = run_of(study, "train/longer-*"), Counter(), manifest.file_digest

    def counting(path):
        hashed[path.parent.name, path.name] += 1
        return real(path)

    monkeypatch.setattr(manifest, "file_digest", counting)
    assert main(["train", f"resume={run}@step6", "data.corpus.path=text", "trainer.max_steps=7"]) == 0
    assert hashed["step6", "state.ckpt"] == 1


def test_a_changed_setting_that_decides_the_weights_is_still_refused(study, capsys):
    run = run_of(study, "train/longer-*")
    kept = RunPaths(run).record.read_bytes()
    assert main(["train", f"resume={run}", "data.corpus.path=text", "optimizer.lr=0.5"]) == 2
    assert "optimizer.lr was 0.001, now 0.5" in capsys.readouterr().err
    assert RunPaths(run).record.read_bytes() == kept


def test_a_finished_search_is_found_by_its_command_and_reported(study, capsys):
    run, searched = run_of(study, "search/found-*"), run_of(study, "train/longer-*")
    all_of_them = ("sampling=dense", "sampling.interval=0", "sampling.first=true")  # what sampling=dense meant then
    words = ("tasks=stdlib_quick", *all_of_them, "budget.share=1", "confirm.resamples=100", "name=found")
    assert main(["search", str(searched), *words]) == 0
    assert [path.name for path in (study / "runs/search").iterdir()] == [run.name]
    capsys.readouterr()
    assert main(["report", str(run)]) == 0
    assert str(Outcome.read(run).best.arm) in capsys.readouterr().out
    assert main(["report", str(searched)]) == 0
    assert "5.4956 at step 6" in capsys.readouterr().out


def test_an_old_training_is_searched(study, tiny):
    run = run_of(study, "train/longer-*")
    plan = SearchPlan(
        checkpoints=RunCheckpoints(str(run)),
        sampling=All(),
        extraction=Extraction(max_length=16),
        probe=ProbeConfig(accelerator="cpu"),
        tasks=Suite(("TinySTS",)),
        objective=Mean(),
        bandit=UCB(),
        costs=AnalyticCosts(),
        stopping=Stopping(),
        budget=Budget(),
        confirm=Confirm(resamples=100),
        seed=0,
        ledger=study / "ledger",
        embeddings=study / "embeddings",
    )
    assert run_search(plan, study / "searched") == 0
    assert [revision.name for revision in SearchedPlane.read(study / "searched").revisions] == [
        "step0",
        "step4",
        "step6",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "pattern"),
    [
        (RunRecord, "record", "search/found-*"),
        (RunRecord, "record", "train/*"),
        (SearchedPlane, "plane", "search/found-*"),
        (BanditState, "bandit_state", "search/found-*"),
        (Outcome, "result", "search/found-*"),
    ],
)
def test_what_is_read_is_written_as_it_was(study, kind, name, pattern):
    for run in (study / "runs").glob(pattern):
        assert to_plain(kind.read(run)) == json.loads(getattr(RunPaths(run), name).read_text())


def test_pointers_are_written_as_they_were(study):
    for run in (study / "runs/train").iterdir():
        (best,) = pointers(run)
        assert best.said() == json.loads(RunPaths(run).pointer("best").read_text())
        assert {field.name for field in fields(best)} == {"entry", *best.said()}
