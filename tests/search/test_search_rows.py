"""Rows of a task's data that are blank, missing or no text, as a person at the command line meets them."""

import json

import pytest
from search.test_search_command import QUICK

from tl_search.cli.main import main
from tl_search.scoring import evaluation


def search(models, *words):
    return main(["search", "checkpoints=folder", f"checkpoints.path={models}", *QUICK, *words])


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
    assert len(errors[0]) < 300
    assert "Traceback" not in told
    assert not list((tmp_path / "runs/search").glob("*"))
