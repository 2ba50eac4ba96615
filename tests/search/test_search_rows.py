"""Rows of a task's data that are blank, missing or no text, as a person at the command line meets them."""

import json

import pytest
from search.test_search_command import QUICK

from tl_search.cli.main import main
from tl_search.scoring import evaluation
from tl_search.scoring.evaluation import describe, fresh_task, split_data


def search(models, *words):
    return main(["search", "checkpoints=folder", f"checkpoints.path={models}", *QUICK, *words])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "split", "column"),
    [("TinyBlank", "selection, row 7", "sentence2"), ("TinyBlankClassification", "selection, row 3", "text")],
)
def test_a_blank_text_costs_no_task_and_its_row_is_told_first(
    models, tiny, tmp_path, monkeypatch, capfd, task, split, column
):
    monkeypatch.chdir(tmp_path)
    assert search(models, f"tasks.names=[{task},TinyPairs]") == 0
    told = capfd.readouterr().err
    line = f"{task}: split {split} (from 0), column {column}: is blank"
    assert line in told
    assert "extraction.begin=always" in told
    assert told.index(line) < told.index("embedding the")
    (result,) = (json.loads(path.read_text()) for path in (tmp_path / "runs/search").glob("*/result.json"))
    assert result["skipped"] == []
    assert {task, "TinyPairs"} <= result["best"]["selection"]["tasks"].keys()


@pytest.mark.slow
def test_rows_with_null_are_left_out_and_counted_on_request(models, tiny, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert search(models, "tasks.names=[TinyNull,TinyNullRetrieval]", "tasks.skip_nulls=true") == 0
    told = capfd.readouterr().err
    for task in ("TinyNull", "TinyNullRetrieval"):
        assert f"{task}: split selection: rows with null that were skipped: 1" in told
    (path,) = (tmp_path / "runs/search").glob("*/plane.json")
    assert [task["skip_nulls"] for task in json.loads(path.read_text())["tasks"]] == [True, True]


@pytest.mark.parametrize(
    ("task", "kept"), [("TinyNull", 149), ("TinyUnlabelled", 119), ("TinyNullSets", 2), ("TinyNullRetrieval", 79)]
)
def test_only_the_rows_with_null_are_left_out(tiny, task, kept):
    spec = describe(task, "selection", skip_nulls=True)
    assert spec.identity() == {**describe(task, "selection").identity(), "skip_nulls": True}
    data = split_data(fresh_task(spec), spec.subset)["selection"]
    if task != "TinyNullRetrieval":
        assert len(data) == kept
        return
    assert "d0" not in data["corpus"]["id"]
    assert "q0" not in data["queries"]["id"]
    assert "q0" not in data["relevant_docs"]
    assert (len(data["corpus"]), len(data["queries"])) == (kept, 59)


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("TinyNull", "split selection, row 5 (from 0), column sentence1: must be a text, got null"),
        ("TinyNumbers", "split train, row 0 (from 0), column text: must be a text, got 0"),
        ("TinyUnlabelled", "split selection, row 9 (from 0), column label: must be a value, got null"),
        ("TinyNullRetrieval", "split selection, row 0 (from 0), column corpus.text: must be a text, got null"),
        ("TinyNullSets", "split selection, row 1 (from 0), column sentences: must be a text, got null"),
    ],
)
def test_a_row_that_is_no_text_is_one_line_and_nothing_is_scored(
    models, tiny, tmp_path, monkeypatch, capfd, task, line
):
    monkeypatch.chdir(tmp_path)
    evaluation._loaded.cache_clear()
    assert search(models, f"tasks.names=[TinySTS,{task}]") == 2
    told = capfd.readouterr().err
    errors = [row for row in told.splitlines() if row.startswith("error: ")]
    assert len(errors) == 1
    assert f"error: {task}: {line}" in errors[0]
    assert "leave the task out of tasks.names" in errors[0]
    assert ("tasks.skip_nulls=true leaves out" in errors[0]) == ("got null" in errors[0])
    assert len(errors[0]) < 300
    assert "Traceback" not in told
    assert not list((tmp_path / "runs/search").glob("*"))
