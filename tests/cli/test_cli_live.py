"""`callbacks=live` at the shell: one ledger for training and searches, whichever command names it."""

from pathlib import Path

import pytest
from tiny_training import TINY, only_run

from tl_search.cli import commands
from tl_search.cli.config.compose import compose_job, configs
from tl_search.cli.config.preflight import check
from tl_search.cli.main import main

ELSEWHERE = ("ledger=there/ledger", "embeddings=there/embeddings")
QUICK = (
    *("callbacks.plane_probe.share=null", "callbacks.plane_probe.tasks.names=[StdlibHalvesPairClassification]"),
    *("callbacks.plane_probe.probe.accelerator=cpu", "callbacks.plane_probe.extraction.max_length=32"),
)


@pytest.mark.parametrize("command", ["train", "run", "schedule"])
@pytest.mark.parametrize("option", ["live", "live_all"])
@pytest.mark.slow_but_every(3)
def test_every_command_that_trains_takes_the_places_of_scores_and_vectors(command, option):
    with configs():
        job = compose_job(command, [f"callbacks={option}", *ELSEWHERE])
        assert check(commands.find(command), job).plan
        entry = job.callbacks.plane_probe
        assert (entry.ledger, entry.embeddings) == ("there/ledger", "there/embeddings")
        usual = compose_job(command, [f"callbacks={option}", "runs=other"]).callbacks.plane_probe
        assert (usual.ledger, usual.embeddings) == ("other/ledger", "other/embeddings")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("metrics@callbacks.representation_metrics.metrics=none",), "metrics.columns: must be all"),
        (("callbacks.representation_metrics.metrics.only=true",), "metrics.only: must be false"),
    ],
)
def test_metrics_that_would_not_be_measured_are_refused_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, "callbacks=live_metrics", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: callbacks.representation_metrics.{said}")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_resumed_run_scores_into_the_places_that_its_record_or_the_command_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, "callbacks=live", *QUICK, *ELSEWHERE]) == 0
    run = only_run()
    cells = len(list(Path("there/ledger").glob("??/*.json")))
    assert cells
    assert main(["train", f"resume={run}", "trainer.max_steps=5"]) == 0
    assert len(list(Path("there/ledger").glob("??/*.json"))) > cells
    assert main(["train", f"resume={run}", "trainer.max_steps=6", "ledger=third", "embeddings=third/vectors"]) == 0
    assert list(Path("third").glob("??/*.json"))
    assert Path("third/vectors").is_dir()
    assert not Path("runs/ledger").exists()
