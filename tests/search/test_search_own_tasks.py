"""`tl search` on tasks of one's own, and on halves of a split: from words to files and a report."""

import json

import pytest
from scoring.own_tasks import write

from tl_search.cli.main import main
from tl_search.scoring import evaluation

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

QUICK = (
    *("tasks=folder", "probe.accelerator=cpu", "extraction.max_length=32", "bandit=random", "confirm.resamples=100"),
    *("budget.share=0.1", "sampling=uniform", "sampling.count=2"),
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "tasks", items=24)


def search(models, *words):
    return main(["search", "checkpoints=folder", f"checkpoints.path={models}", *QUICK, "tasks.folder=tasks", *words])


def test_a_folder_of_ones_own_tasks_is_searched_on_one_half_and_confirmed_on_the_other(models, own, tmp_path):
    words = ("readout=[raw,whitened]", "readout.entries.whitened.rank=4")
    assert search(models, "tasks.names=[Tickets,Likeness,Answers]", *words) == 0
    (run,) = (tmp_path / "runs/search").iterdir()
    plane = json.loads((run / "plane.json").read_text())
    assert {task["name"]: task["split"] for task in plane["tasks"]} == dict.fromkeys(
        ("Tickets", "Likeness", "Answers"), "test-half-1"
    )
    assert plane["confirmation_split"] == "test-half-2"
    assert not plane["same_split"]
    kept = {path.parent.name for path in (run / "scores").rglob("Tickets.json")}
    assert {name.partition("-half")[0] for name in kept} == {"test"}
    assert (run / "report/index.html").is_file()
    result = json.loads((run / "result.json").read_text())
    whole = {}
    named = ("best", "final_last", "final_best", "same_readout", "as_raw")
    for part in (part for part in named if result.get(part)):
        official = result[part]["official"]
        assert set(official["tasks"]) == {"Tickets", "Likeness", "Answers"}
        assert official["objective"] == pytest.approx(sum(official["tasks"].values()) / 3, abs=1e-3)
        whole[part] = official["tasks"]["Tickets"]
    exported = [json.loads(path.read_text()) for path in (run / "scores").rglob("test/Tickets.json")]
    found = {round(100 * file["scores"]["test"][0]["main_score"], 3) for file in exported}
    assert {round(value, 3) for value in whole.values()} == found
    assert whole.keys() >= {"best", "final_last", "final_best"}
    told = " ".join((run / "report/index.html").read_text().replace("&#x27;", "'").split())
    assert "On the whole official splits, as others report them: the chosen arm" in told
    if result["best"]["arm"] != result["final_last"]["arm"]:
        fall = result["best"]["selection"]["objective"] - result["best"]["confirmation"]["objective"]
        assert f"a difference of {fall:+.2f}." in told


def test_half_a_half_chooses_the_other_half_confirms_and_the_whole_is_official(models, own, tmp_path):
    assert search(models, "tasks.names=[Tickets,Likeness,Manuals]", "tasks.items=1/2") == 0
    (run,) = (tmp_path / "runs/search").iterdir()
    plane = json.loads((run / "plane.json").read_text())
    assert {(task["split"], task["items"]) for task in plane["tasks"]} == {("test-half-1", "1/2")}
    assert {path.parent.name for path in (run / "scores").rglob("*.json")} == {"test-half-2", "test"}
    result = json.loads((run / "result.json").read_text())
    assert set(result["best"]["official"]["tasks"]) == {"Tickets", "Likeness", "Manuals"}
    told = " ".join((run / "report/index.html").read_text().replace("&#x27;", "'").split())
    assert "1/2 of one half of these items chose the arm" in told
    assert "The arm was chosen on 1/2 of the items of the selection data" in told


def test_everything_on_the_whole_split_is_possible_and_labelled(models, own, tmp_path, capsys):
    words = ("tasks.names=[Likeness]", "tasks.selection_split=official")
    assert search(models, *words) == 0
    (run,) = (tmp_path / "runs/search").iterdir()
    plane = json.loads((run / "plane.json").read_text())
    assert [task["split"] for task in plane["tasks"]] == ["test"]
    assert (plane["confirmation_split"], plane["same_split"]) == ("test", True)
    assert "the data that it was chosen on, so too high on average" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "spoilt", "sentence"),
    [
        ((), '{"sentence1": "a"', "test.jsonl, line 2: must be a JSON object ("),
        (("tasks.names=[Likenes]",), None, "tasks.names: no task 'Likenes'; did you mean Likeness"),
        (("tasks.names=[Likeness]", "tasks.types=[Sts]"), None, "tasks.types: must be among those of the tasks, STS, "),
        (("tasks.names=[Likeness]", "+tasks.subsets={Likeness: de}"), None, "tasks.subsets: must be one of default"),
        (("tasks.names=[Likeness]", "tasks.selection_split=dev"), None, "must be one of test, got 'dev'"),
        (("tasks.names=[Likeness]", "+tasks.selection_splits={Likeness: test}"), None,
         "tasks.confirmation_splits.Likeness: must be apart from the selection split, got 'test-half-2' and 'test'"),
        (("tasks.names=[Likeness]", "+tasks.selection_splits={Manuals: test}"), None,
         "tasks.selection_splits: must name only tasks that are in tasks.names, got Manuals"),
        (("tasks.folder=nowhere",), None, "tasks.folder: must hold folders with a task.yaml and rows, got"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_nothing_is_written(models, own, tmp_path, capfd, words, spoilt, sentence):
    if spoilt:
        path = own / "Likeness" / "test.jsonl"
        path.write_text("\n".join([path.read_text().splitlines()[0], spoilt, ""]))
    evaluation._loaded.cache_clear()
    assert search(models, *words) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert not list((tmp_path / "runs/search").glob("*"))
