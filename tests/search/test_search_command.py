"""`tl search` at the shell, measuring beside its search: from words to files and a report."""

import json

from probe.known_metrics import OF_VIEWS, OPTIONS

from tl_search.cli.main import main

QUICK = (
    *("tasks.names=[TinyPairs,TinySTS]", "probe.accelerator=cpu", "extraction.max_length=32", "bandit=random"),
    *("confirm.resamples=100", "budget.share=0.1", "sampling=uniform", "sampling.count=2"),
)


def test_columns_that_the_command_line_asks_for_are_measured_and_reported(models, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ("metrics.columns=all", "metrics.corpus_max_examples_per_task=4")
    assert main(["search", "checkpoints=folder", f"checkpoints.path={models}", *QUICK, *words]) == 0
    told = capsys.readouterr().out
    assert "Label-free metrics of 6 arms" in told
    found = [json.loads(path.read_text()) for path in (tmp_path / "runs/search").rglob("layer_*.json")]
    assert len(found) == 6  # two columns of three layers
    assert all(file["metrics"].keys() == OPTIONS.keys() - {*OF_VIEWS} for file in found)
    assert {json.dumps(file["options"]["measures"]["rankme"]) for file in found} == {'{"eps": 1e-07}'}
