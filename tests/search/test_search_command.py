"""`tl search` at the shell, measuring beside its search: from words to files and a report."""

import json
import shutil

import pytest
from probe.known_metrics import OF_VIEWS, OPTIONS
from probe.tiny_models import in_shards, make, make_nested

from tl_search.cli.main import main
from tl_search.plane.arm import Arm
from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.search.alike import warn_of_equal_columns

QUICK = (
    *("tasks.names=[TinyPairs,TinySTS]", "probe.accelerator=cpu", "extraction.max_length=32", "bandit=random"),
    *("confirm.resamples=100", "budget.share=0.1", "sampling=uniform", "sampling.count=2"),
)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_sweep_ends_with_one_table_and_every_result_says_what_was_searched(
    models, tiny, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    words = ("checkpoints=folder", f"checkpoints.path={models}", "seed=3", "-m", "budget.share=0.1,0.2")
    assert main(["search", *QUICK, *words]) == 0
    out = capsys.readouterr().out
    assert "best embedding model found" not in out
    rows = [line for line in out.splitlines() if line.strip().startswith("random-uniform-s3-")]
    assert sorted(share for row in rows for share in ("share=0.1", "share=0.2") if share in row) == [
        "share=0.1",
        "share=0.2",
    ]
    assert "2 searches, best first by the mean score on 2 tasks" in out
    results = list((tmp_path / "runs/search").glob("random-uniform-s3-*-share0.[12]-*/result.json"))
    assert len(results) == 2
    for path in results:
        assert json.loads(path.read_text())["searched"] == {
            "model": models.name,
            "policy": "random",
            "sampling": "uniform",
            "tasks": ["TinyPairs", "TinySTS"],
        }
        assert (path.parent / "report/index.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["the same", "another"])
def test_random_weights_are_a_control_and_never_trained_whatever_step_they_are_filed_under(
    tiny, tmp_path, monkeypatch, tokenizer
):
    """A rate of 0 in the first step leaves the weights of step 0, as in every Pythia."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "models/step0", seed=5, num_hidden_layers=2)
    shutil.copytree("models/step0", "models/step1")
    make(tmp_path / "models/step9", seed=6, num_hidden_layers=2)
    if tokenizer == "another":
        (tmp_path / "models/step1/special_tokens_map.json").write_text("{}")
    words = ("checkpoints=folder", "checkpoints.path=models", "bandit=exhaustive", "sampling=dense")
    assert main(["search", *QUICK[:3], "confirm.resamples=100", *words]) == 0
    [result] = [json.loads(path.read_text()) for path in (tmp_path / "runs/search").rglob("result.json")]
    [plane] = [json.loads(path.read_text()) for path in (tmp_path / "runs/search").rglob("plane.json")]
    names = [revision["name"] for revision in plane["revisions"]]
    assert names == (["step0", "step9"] if tokenizer == "the same" else ["step0", "step1", "step9"])
    assert {task["trained"]["arm"][0] for task in result["tasks"]} == {"step9"}
    assert all(task["controls"] >= 4 for task in result["tasks"])  # step 0 at every layer, layer 0 of step9


@pytest.mark.slow
def test_a_checkpoint_with_a_foreign_shard_is_no_part_of_the_plane_unless_it_is_asked_for(
    tiny, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = ("checkpoint-100", "checkpoint-200", "checkpoint-300", "checkpoint-400", "main")
    shards = [in_shards(make(tmp_path / "models" / name, seed=seed))[0] for seed, name in enumerate(names)]
    shutil.copy(shards[-1], shards[1])
    words = ("checkpoints=folder", "checkpoints.path=models", "bandit=random", "sampling=dense", "budget.share=0.1")
    for name, wanted in (("a", ()), ("b", ("checkpoints.suspects=true",))):
        assert main(["search", *QUICK[:3], "confirm.resamples=100", *words, *wanted, f"name={name}"]) == 0
        [plane] = [json.loads(path.read_text()) for path in (tmp_path / "runs/search").glob(f"{name}-*/plane.json")]
        kept = [revision["name"] for revision in plane["revisions"]]
        assert kept == [revision for revision in names if wanted or revision != "checkpoint-200"]
        verb = "kept, though" if wanted else "left out, since"
        told = " ".join(capsys.readouterr().err.split())
        assert f"checkpoint-200: {verb} part of the weights is that of main, but not in the steps between" in told


@pytest.mark.slow
def test_a_model_that_reads_images_too_is_searched_through_its_text_model(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("checkpoint-1", "main")):
        make_nested(tmp_path / "models" / name, seed=seed)
    assert main(["search", *QUICK, "checkpoints=folder", "checkpoints.path=models"]) == 0
    [plane] = [json.loads(path.read_text()) for path in (tmp_path / "runs/search").rglob("plane.json")]
    assert plane["n_layers"] == 3


def test_columns_whose_scores_are_all_equal_are_named(caplog):
    """On the Hub, where numbers cannot be compared before they are downloaded."""

    def column(step, *scores):
        revision = Revision(f"step{step}", step, weights=f"w{step}", tokenizer="t")
        return {Arm("m", revision, layer, Extraction()): {"A": score} for layer, score in enumerate(scores)}

    warn_of_equal_columns(column(1, 9, 1, 2, 3) | column(2, 9, 1, 2, 3.5) | column(3, 9, 1, 2, 3) | column(4, 9, 1, 2))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["step1 and step3"]
    caplog.clear()
    warn_of_equal_columns(column(1, 50, 100, 100, 100) | column(2, 50, 100, 100, 100))  # as good as can be
    assert not caplog.records
