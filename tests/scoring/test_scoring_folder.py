"""A person's own tasks in a folder: scored as mteb scores them, and what is wrong is told with its file and line."""

import json

import mteb
import pyarrow
import pytest
from pyarrow import parquet
from scoring.own_tasks import write
from scoring.test_scoring_halves import Plain

from tl_search.scoring.catalogue import get_task
from tl_search.scoring.evaluation import describe, fresh_task, score_cell
from tl_search.scoring.suites import Suite
from tl_search.scoring.texts import texts_of
from tl_search.scoring.uncertainty.resample import confirm_cell

NAMES = ("Answers", "Doubles", "Likeness", "Manuals", "Themes", "Tickets")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return write(tmp_path_factory.mktemp("own") / "tasks")


@pytest.fixture
def mine(tmp_path):
    return write(tmp_path / "tasks")


def spoil(path, number, line):
    lines = path.read_text().splitlines()
    lines[number - 1] = line if isinstance(line, str) else json.dumps(line)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_folders_task_is_scored_as_mteb_scores_it(own, arm, embed, name):
    task = get_task(name, own).filter_eval_splits(["test"])
    theirs = mteb.evaluate(Plain(embed), task, cache=None, co2_tracker=False, show_progress_bar=False)
    spec = describe(name, "test", folder=own)
    score = score_cell(arm, spec, embed(texts_of(spec)))
    assert score.value == round(theirs.task_results[0].get_score(), 6)
    assert score.result["dataset_revision"] == spec.revision


def test_two_labels_may_be_words(mine, arm, embed):
    for name in ("train", "test"):
        path = mine / "Tickets" / f"{name}.jsonl"
        path.write_text(path.read_text().replace("topic 2", "topic 0").replace("topic 3", "topic 1"))
    spec = describe("Tickets", "test", folder=mine)
    score = score_cell(arm, spec, embed(texts_of(spec)))
    assert score.result["scores"]["test"][0]["ap"] > 0


@pytest.mark.slow
def test_a_suite_of_a_folder_has_all_of_its_tasks_on_two_halves(own, arm, embed):
    suite = Suite(names=[], folder=str(own))
    selection, confirmation = suite.selection(), suite.confirmation()
    assert [task.name for task in selection] == list(NAMES)
    assert {task.split for task in selection} == {"test-half-1"}
    assert {task.split for task in confirmation} == {"test-half-2"}
    texts = suite.texts(confirmation)
    for task in confirmation:
        score, copies = confirm_cell(arm, task, embed(texts[task.name]), 100, 0)
        assert 0 < score.value <= 1, task.name
        assert copies.shape == (100,)


def test_other_rows_make_another_task_and_another_place_does_not(own, tmp_path):
    first = describe("Likeness", "test", folder=own)
    write(tmp_path / "elsewhere")
    second = describe("Likeness", "test", folder=tmp_path / "elsewhere")
    assert first.identity() == second.identity()
    spoil(tmp_path / "elsewhere" / "Likeness" / "test.jsonl", 3, {"sentence1": "a", "sentence2": "b", "score": 1})
    assert describe("Likeness", "test", folder=tmp_path / "elsewhere").identity() != first.identity()
    changed = describe("Likeness", "test", folder=tmp_path / "elsewhere")
    fresh_task(changed)
    spoil(tmp_path / "elsewhere" / "Likeness" / "test.jsonl", 3, {"sentence1": "a", "sentence2": "c", "score": 1})
    with pytest.raises(ValueError, match="task: Likeness must have revision"):
        fresh_task(describe("Likeness", "test", folder=tmp_path / "elsewhere"))


def test_parquet_holds_the_same_as_jsonl(own, mine):
    path = mine / "Doubles" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    before = fresh_task(describe("Doubles", "test", folder=own)).dataset["test"].to_list()
    parquet.write_table(pyarrow.Table.from_pylist(rows), path.with_suffix(".parquet"))
    path.unlink()
    assert fresh_task(describe("Doubles", "test", folder=mine)).dataset["test"].to_list() == before


@pytest.mark.parametrize(
    ("file", "line", "sentence"),
    [
        ("Likeness/test.jsonl", '{"sentence1": "a"', "test.jsonl, line 3: must be a JSON object ("),
        ("Likeness/test.jsonl", "[1]", "test.jsonl, line 3: must be a JSON object, got [1]"),
        ("Likeness/test.jsonl", '{"sentence1": "a", "sentence2": "b", "score": NaN}', "test.jsonl, line 3: "),
        (
            "Likeness/test.jsonl",
            {"sentence1": "a", "score": 1},
            "line 3: must have the column 'sentence2', got 'sentence1'",
        ),
        (
            "Likeness/test.jsonl",
            {"sentence1": 1, "sentence2": "b", "score": 1},
            "line 3: sentence1: must be a text, got 1",
        ),
        ("Likeness/test.jsonl", {"sentence1": "a", "sentence2": "b", "score": "x"}, "score: must be a number, got 'x'"),
        ("Doubles/test.jsonl", {"sentence1": "a", "sentence2": "b", "labels": 2}, "labels: must be 0 or 1, got 2"),
        ("Tickets/train.jsonl", {"text": "a", "label": [1]}, "label: must be a text or an integer, got [1]"),
        (
            "Answers/top_ranked.jsonl",
            {"query-id": "q1", "corpus-ids": "d1"},
            "corpus-ids: must be a list of texts, got",
        ),
        ("Manuals/qrels/test.jsonl", {"query-id": "q1", "corpus-id": "dx", "score": 1}, "corpus-id: no such id in the"),
    ],
)
def test_a_malformed_line_is_told_with_its_file_and_its_number(mine, file, line, sentence):
    spoil(mine / file, 3, line)
    with pytest.raises(ValueError) as told:
        fresh_task(describe(file.split("/")[0], "test", folder=mine))
    assert str(mine / file) in str(told.value)
    assert sentence in str(told.value)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("type: STZ", "type: must be one of Classification, Clustering, PairClassification, Reranking, Retrieval, STS, "
                      "got 'STZ'; did you mean STS?"),
        ("typ: STS", "type: must be one of"),
        ("type: STS\nsplits: [test]", "must have no other settings than type, main_score, "),
        ("type: STS\nmax_score: high", "max_score: must be a number, got 'high'"),
        ("type: [", "cannot be read as YAML"),
    ],
)  # fmt: skip
def test_a_description_that_is_wrong_is_told_with_its_file(mine, text, sentence):
    (mine / "Likeness" / "task.yaml").write_text(text)
    with pytest.raises(ValueError) as told:
        describe("Likeness", "test", folder=mine)
    assert str(told.value).startswith(str(mine / "Likeness" / "task.yaml"))
    assert sentence in str(told.value)


def test_missing_files_and_folders_are_told(mine, tmp_path):
    (mine / "Tickets" / "train.jsonl").unlink()
    with pytest.raises(ValueError, match=r"folder: .*Tickets must have files of rows such as train.jsonl and test"):
        describe("Tickets", "test", folder=mine)
    (mine / "Answers" / "top_ranked.jsonl").unlink()
    with pytest.raises(
        ValueError, match=r"Answers: must hold one of top_ranked.jsonl, top_ranked.parquet, got neither"
    ):
        fresh_task(describe("Answers", "test", folder=mine))
    with pytest.raises(ValueError, match=r"tasks.folder: must hold folders with a task.yaml and rows, got .*no folder"):
        Suite(names=[], folder=str(tmp_path / "absent")).selection()
    with pytest.raises(ValueError, match=r"names: no task 'Tickers'; did you mean Tickets"):
        Suite(names=["Tickers"], folder=str(mine)).check()
