"""Metrics of a plane's columns on disk: the same texts for every arm, whole files kept, a search left as it is."""

import ast
import json
import math
import shutil
import subprocess
from collections import Counter
from dataclasses import replace

import pytest
import torch
from probe.known_metrics import OPTIONS
from probe.tiny_models import make
from safetensors.torch import load_file, save_file
from scoring import tiny_tasks

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.plane.extraction import Extraction
from tl_search.probe.measuring import column
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.report.write import write_report
from tl_search.scoring.suites import Suite
from tl_search.search.measure import draw_texts
from tl_search.search.run import run_search
from tl_search.store.atomic import read_json

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

FAST = ("prompt_entropy", "curvature", "dataset_entropy", "effective_rank", "rankme", "anisotropy")
ALL = MetricsConfig(Columns.all, corpus_max_examples_per_task=8, prompts=4, measures={name: {} for name in FAST})
ONLY = replace(ALL, only=True)
REVISIONS = ("step0", "step4", "step16", "step64")


@pytest.fixture
def passes(monkeypatch):
    """Counts measured columns by revision."""
    counts, real = Counter(), column.measure_column

    def counted(revision, *rest):
        counts[revision.name] += 1
        return real(revision, *rest)

    monkeypatch.setattr(column, "measure_column", counted)
    return counts


def files(run):
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("layer_*.json")}


@pytest.fixture
def measured(plan, tmp_path):
    """A run that has only measured."""
    assert run_search(plan(metrics=ONLY), tmp_path / "run") == 0
    return tmp_path / "run"


def shell(command, folder):
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_a_search_that_measures_leaves_the_files_that_verification_looks_for(plan, finished, tmp_path):
    """The commands with which earlier searches of the plane were checked, on ours."""
    assert run_search(plan(metrics=ALL), tmp_path / "runs/one") == 0
    assert shell('find runs/one/cache/metrics -type d -name "step*" | wc -l', tmp_path) == "4"
    command = (
        """python3 -c "import json; s=json.load(open('runs/one/bandit_state.json'));"""
        """ print([a for a in s['trajectory'] if 'step' in str(a['arm'][0])])" """
    )
    arms = shell(command, tmp_path)
    assert ast.literal_eval(arms) == read_json(tmp_path / "runs/one/bandit_state.json")["trajectory"]
    (model,) = (path for path in (tmp_path / "runs/one/cache/metrics").iterdir() if path.is_dir())
    assert sorted(path.relative_to(model).as_posix() for path in model.rglob("*.json")) == sorted(
        f"{revision}/layer_00{layer}.json" for revision in REVISIONS for layer in range(3)
    )
    # and the search is what it was without
    before, now = read_json(finished / "run/result.json"), read_json(tmp_path / "runs/one/result.json")
    assert now.pop("unmeasured") == {}
    assert {**now, "seconds": 0} == {**before, "seconds": 0}
    assert (tmp_path / "runs/one/pulls.jsonl").read_bytes() == (finished / "run/pulls.jsonl").read_bytes()


def test_a_file_says_what_was_measured_of_what_and_on_what(measured):
    corpus = read_json(measured / "cache/metrics/corpus.json")
    hashes, values = set(), []
    for name, data in files(measured).items():
        told = json.loads(data)
        assert name.endswith(f"{told['revision']}/layer_{told['layer']:03d}.json")
        assert told["metrics"].keys() == set(FAST)
        assert all(math.isfinite(value) for value in told["metrics"].values())
        assert 0 < told["metrics"]["dataset_entropy"] <= math.log(8)
        assert told["dtype"] == told["extraction"]["dtype"] == "float32"
        assert told["options"]["measures"]["prompt_entropy"] == OPTIONS["prompt_entropy"]
        assert told["extraction"]["pooling"] == "mean"
        assert len(told["weights"]) == 64
        hashes.add(told["corpus"])
        values.append(told["metrics"]["rankme"])
    assert hashes == {corpus["hash"]}
    assert len(set(values)) == len(values) == 12
    assert corpus["tasks"] == {"TinyPairs": 8}
    assert corpus["left_out"] == ["TinySTS"]
    practice = tiny_tasks.TinyPairs().rows("train")
    assert set(corpus["texts"]) <= {*practice["sentence1"], *practice["sentence2"]}


def test_measuring_alone_scores_nothing(measured, tmp_path):
    assert read_json(measured / "DONE.json") == {"exit_code": 0, "unmeasured": {}}
    assert not (measured / "result.json").exists()
    assert not list((tmp_path / "ledger").glob("??/*.json"))


def test_measuring_alone_needs_no_second_checkpoint(plan, tmp_path, capsys):
    make(tmp_path / "models/step8", num_hidden_layers=1)
    assert (
        run_search(plan(metrics=ONLY, checkpoints=FolderCheckpoints(str(tmp_path / "models"))), tmp_path / "run") == 0
    )
    write_report(tmp_path / "run")
    told = capsys.readouterr().out
    assert "1 checkpoint × 2 layers, label-free metrics only" in told
    assert "of 2 arms" in told


def test_a_report_of_measuring_alone_says_where_each_metric_is_lowest_and_highest(measured, capsys):
    write_report(measured)
    told = capsys.readouterr().out
    assert "4 checkpoints × 3 layers, label-free metrics only; no task was scored." in told
    assert "of 12 arms" in told
    assert all(name in told for name in FAST)


def test_only_columns_that_the_search_opened(plan, tmp_path):
    metrics = replace(ALL, columns=Columns.opened)
    run_search(plan(metrics=metrics), tmp_path / "run")
    opened = {step["arm"][0] for step in read_json(tmp_path / "run/bandit_state.json")["trajectory"]}
    assert {json.loads(data)["revision"] for data in files(tmp_path / "run").values()} == opened | {
        "step0"
    }  # a control


def test_whole_columns_are_kept_and_others_measured_again(plan, measured, passes):
    before = files(measured)
    (measured / "DONE.json").unlink()
    first, second = (next(path for path in measured.rglob("layer_001.json") if name in path.parts)
                     for name in ("step4", "step16"))  # fmt: skip
    first.unlink()
    second.write_text(second.read_text()[:40])
    run_search(plan(metrics=ONLY), measured)
    assert passes == {"step4": 1, "step16": 1}
    assert files(measured) == before


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"prompts": 3},
        {"prompts_share": 0.9},
        {"corpus_max_examples_per_task": 7},
        {"measures": {"rankme": {"eps": 0.0}}},
    ],
    ids=str,
)
def test_files_of_other_settings_do_not_count_as_whole(plan, measured, passes, change):
    (measured / "DONE.json").unlink()
    run_search(plan(metrics=replace(ONLY, **change)), measured)
    assert passes == dict.fromkeys(REVISIONS, 1)


def test_damaged_weights_fail_alone(plan, models, tmp_path):
    shutil.copytree(models, tmp_path / "models")
    file = tmp_path / "models/step4/model.safetensors"
    weights = {name: weight * float("nan") for name, weight in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    source = FolderCheckpoints(str(tmp_path / "models"))
    assert run_search(plan(metrics=ONLY, checkpoints=source), tmp_path / "run") == 3
    ((name, reason),) = read_json(tmp_path / "run/DONE.json")["unmeasured"].items()
    assert name == "step4"
    assert "layer 0" in reason
    assert {json.loads(data)["revision"] for data in files(tmp_path / "run").values()} == set(REVISIONS) - {"step4"}


def test_two_views_are_measured_too(plan, tmp_path):
    make(tmp_path / "models/step0", num_hidden_layers=1)
    make(tmp_path / "models/step8", seed=1, num_hidden_layers=1)
    metrics = replace(ONLY, measures={name: {} for name in OPTIONS})
    source = FolderCheckpoints(str(tmp_path / "models"))
    assert run_search(plan(metrics=metrics, checkpoints=source), tmp_path / "run") == 0
    for data in files(tmp_path / "run").values():
        told = json.loads(data)["metrics"]
        assert told.keys() == OPTIONS.keys()
        assert 0 < told["infonce"] <= math.log(8)
        assert 1 <= told["lidar"] <= 8
        assert told["dime"] > 0


def test_the_corpus_is_a_seeded_draw_without_repeats_or_blanks():
    texts = {"A": [f"a{n}" for n in range(30)], "B": [" ", "", *(f"b{n}" for n in range(5)), "a1", "b1"]}
    config = MetricsConfig(corpus_max_examples_per_task=10)
    corpus = draw_texts(texts, config)
    assert corpus == draw_texts(texts, config)
    assert corpus.counts == {"A": 10, "B": 6}
    assert len(corpus.texts) == len(set(corpus.texts)) in (15, 16)
    assert {text for text in corpus.texts if text[0] == "b"} == {f"b{n}" for n in range(5)}
    assert {text for text in corpus.texts if text[0] == "b"} != set(corpus.texts[:5])
    alone = draw_texts({"A": texts["A"]}, config)
    assert set(alone.texts) < set(corpus.texts) | {"a1"}
    assert draw_texts(texts, replace(config, seed=1)).hash != corpus.hash
    every = draw_texts(texts, replace(config, corpus_max_examples_per_task=None))
    assert len(every.texts) == 35
    assert every.left_out == ()
    assert draw_texts({"B": texts["A"], "C": [" "], "D": []}, config).left_out == ("C", "D")
    with pytest.raises(ValueError, match=r"tasks: .* none of B, C has one; add a task that has"):
        draw_texts({"B": [" "], "C": []}, config)


def test_a_suite_without_any_training_text_is_told_before_anything_is_done(plan, tmp_path):
    with pytest.raises(ValueError, match=r"tasks: .*none of TinySTS has one"):
        run_search(plan(metrics=ALL, tasks=Suite(("TinySTS",))), tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.json"))


def failing(error):
    def fail(revision, *_):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.linalg.LinAlgError("linalg.eigh: failed\nto converge"), "linalg.eigh: failed to converge"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "CUDA out of memory. Tried"),
        (MemoryError(), "out of memory"),
    ],
    ids=["no convergence", "accelerator full", "host full"],
)
def test_a_column_that_cannot_be_measured_fails_alone(plan, tmp_path, monkeypatch, error, reason):
    real = column.measure_column

    def fails_once(revision, *rest):
        if revision.name == "step4":
            raise error
        return real(revision, *rest)

    monkeypatch.setattr(column, "measure_column", fails_once)
    assert run_search(plan(metrics=ONLY), tmp_path / "run") == 3
    assert read_json(tmp_path / "run/DONE.json")["unmeasured"] == {"step4": reason}
    assert {json.loads(data)["revision"] for data in files(tmp_path / "run").values()} == set(REVISIONS) - {"step4"}


def test_a_bug_is_no_property_of_a_column(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(column, "measure_column", failing(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        run_search(plan(metrics=ONLY), tmp_path / "run")
    assert not (tmp_path / "run/DONE.json").exists()


def test_the_answer_is_there_before_anything_is_measured(plan, finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(column, "measure_column", failing(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            run_search(plan(metrics=ALL), tmp_path / "run")
    before, now = read_json(finished / "run/result.json"), read_json(tmp_path / "run/result.json")
    assert {**now, "seconds": 0} == {**before, "seconds": 0}
    assert len(list((tmp_path / "run/scores").rglob("*.json"))) == len(list((finished / "run/scores").rglob("*.json")))
    assert not (tmp_path / "run/DONE.json").exists()
    # and the next run goes on from there
    assert run_search(plan(metrics=ALL), tmp_path / "run") == 0
    assert read_json(tmp_path / "run/result.json")["unmeasured"] == {}
    assert len(files(tmp_path / "run")) == 12


def test_measuring_alone_leaves_a_plane_that_must_stay_the_same(plan, measured):
    plane = read_json(measured / "plane.json")
    assert [revision["name"] for revision in plane["revisions"]] == list(REVISIONS)
    assert plane["tasks"] == []
    (measured / "DONE.json").unlink()
    with pytest.raises(ValueError, match=r"plane.json: its extraction changed since this search was started"):
        run_search(plan(metrics=ONLY, extraction=Extraction(max_length=32)), measured)
