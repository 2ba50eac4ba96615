"""A search over readouts: whom it compares, what it fits on, and what is done anew where a fit is lost."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from scoring.tiny_tasks import TinyPairs, metadata

from tl_search.figures.style import LIGHT
from tl_search.plane.arm_name import ArmName
from tl_search.plane.readout import RAW, Form, Readout, Readouts
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.report.findings import read_findings
from tl_search.report.pictures import draw_plane
from tl_search.report.sentences import gain_sentences, readouts, rivals
from tl_search.runs.open import open_run
from tl_search.scoring.suites import Suite
from tl_search.search.readouts import fitted_readouts
from tl_search.search.run import run_search
from tl_search.search.texts import SuiteTexts
from tl_search.store.atomic import read_json

WHITENED, JOINED = Readout(Form.whitened, rank=8), Readout(Form.joined, rank=8, window=2)
SETTINGS = Readouts({"raw": RAW, "w": WHITENED, "j": JOINED}, texts_per_task=40)


@pytest.fixture(scope="module")
def found(models, tiny, tmp_path_factory):
    """A folder with a finished search `run` over three readouts, its ledger and its embeddings: to be copied."""
    from search.conftest import usual_plan

    folder = tmp_path_factory.mktemp("readouts")
    assert run_search(usual_plan(models, folder, readout=SETTINGS), folder / "run") == 0
    return folder


def test_the_plane_has_every_layer_of_every_readout_and_names_what_they_were_fitted_on(found):
    plane = open_run(found / "run").plane
    assert list(plane.readouts) == ["raw", "whitened-rank8", "joined-rank8-window2"]
    assert plane.shape == (4, 9)
    assert plane.fitted_on.texts == 40
    assert not plane.fitted_on.among_scored
    assert "40 texts, none of which is scored" in readouts(plane)


def test_scores_say_of_which_readout_they_are(found):
    scores = open_run(found / "run").scores()
    assert set(scores["readout"]) > {"raw"}
    assert set(scores["readout"]) <= {"raw", "whitened-rank8", "joined-rank8-window2"}


def test_the_whole_final_column_is_scored_and_raw_is_the_baseline(found):
    run = open_run(found / "run")
    final = [step.arm for step in read_findings(found / "run").trajectory[:9]]
    assert final == [ArmName("step64", layer, readout) for readout in run.plane.readouts for layer in range(3)]
    assert run.result.final_last.arm == ArmName("step64", 2)


def test_the_gain_is_split_into_place_and_readout(found):
    result = open_run(found / "run").result
    best = result.best.arm
    if best.is_raw:
        assert result.same_readout is result.as_raw is None
        return
    assert result.same_readout.arm == ArmName("step64", 2, best.readout)
    assert result.as_raw.arm == best.as_raw
    for other, gain in ((result.same_readout, result.gains.same_readout), (result.as_raw, result.gains.as_raw)):
        apart = result.best.confirmation.objective - other.confirmation.objective
        assert gain.gain == pytest.approx(apart, abs=1e-3)
        assert gain.interval.low <= gain.gain <= gain.interval.high
    assert [role for role, *_ in rivals(result)][2:] == [
        "last layer of the final checkpoint with the same readout",
        "same layer without the readout",
    ]
    assert len(gain_sentences(result)) == 4


def test_scores_of_readouts_are_exported_beside_those_of_the_layer(found):
    folders = {path.parent.parent.name for path in (found / "run/scores").rglob("*.json")}
    assert {"layer_002", "layer_002-whitened-rank8", "layer_002-joined-rank8-window2"} <= folders


def test_the_report_draws_them(found):
    assert draw_plane(read_findings(found / "run"), LIGHT).startswith(b"\x89PNG")


def test_a_raw_search_shares_its_scores_with_one_of_several_readouts(plan, tmp_path, found):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    run_search(plan(), tmp_path / "raw")
    kept = {arm: scores for arm, scores in _scores(tmp_path / "run").items() if arm.is_raw}
    again = _scores(tmp_path / "raw")
    shared = [(arm, task) for arm, tasks in again.items() for task in tasks if task in kept.get(arm, {})]
    assert shared
    assert all(again[arm][task] == kept[arm][task] for arm, task in shared)


@pytest.mark.slow
def test_the_same_command_changes_nothing_and_a_damaged_fit_is_made_anew(plan, tmp_path, found):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    files = sorted((tmp_path / "embeddings/readouts").rglob("*.safetensors"))
    before = {path: path.read_bytes() for path in files}
    assert files
    files[0].write_bytes(b"torn")
    files[1].unlink()
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "run/DONE.json").unlink()
    answer = read_json(tmp_path / "run/result.json")
    assert run_search(plan(readout=SETTINGS), tmp_path / "run") == 0
    assert {path: path.read_bytes() for path in files} == before
    assert read_json(tmp_path / "run/result.json")["best"] == answer["best"]


def test_what_is_selected_or_reported_on_is_never_fitted_on(tiny, tmp_path, monkeypatch):
    planted = [TinyPairs().rows(split)["sentence1"][7] for split in ("selection", "confirmation")]

    class Planted(TinyPairs):
        metadata = metadata("Planted", "PairClassification", "max_ap")

        def rows(self, split):
            rows = super().rows(split)
            return {**rows, "sentence2": [*planted, *rows["sentence2"][2:]]} if split == "train" else rows

    monkeypatch.setitem(tiny, "Planted", Planted)
    tasks = Suite(("Planted",))
    suites = [SuiteTexts(specs, tasks.texts(specs, tmp_path)) for specs in (tasks.selection(), tasks.confirmation())]
    assert set(planted) <= set(tasks.training_texts()["Planted"])
    fitted = fitted_readouts(replace(SETTINGS, texts_per_task=10**6), tasks.training_texts, suites, 2, tmp_path)
    assert len(fitted.texts) > 200
    assert not set(fitted.texts) & {text for suite in suites for texts in suite.texts.values() for text in texts}


def test_texts_of_a_persons_own_are_transductive_where_they_are_scored(tiny, tmp_path, caplog):
    scored = TinyPairs().rows("selection")["sentence1"][0]
    (tmp_path / "own.txt").write_text(f"one\n\n{scored}\ntwo\none\n", encoding="utf-8")
    tasks = Suite(("TinyPairs",))
    suites = [SuiteTexts(tasks.selection(), tasks.texts(tasks.selection(), tmp_path))]
    fitted = fitted_readouts(
        Readouts({"s": Readout(Form.standardised)}, tmp_path / "own.txt"), dict, suites, 2, tmp_path
    )
    assert fitted.texts == ("one", scored, "two")
    assert fitted.among_scored == 1
    assert "transductive" in caplog.text


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"\n \n", "must have a text on every line, and has none"), (b"\xff\xfe", "is no UTF-8")],
)
def test_a_file_of_texts_that_cannot_be_used_is_one_line(tmp_path, content, told):
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^readout\.texts: .*{told}") as refused:
        fitted_readouts(replace(SETTINGS, texts=path), dict, [], 2, tmp_path)
    assert "\n" not in str(refused.value)


def test_a_suite_without_training_texts_names_the_setting(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"readout\.texts=FILE, or set readout=\[raw\]"):
        fitted_readouts(SETTINGS, lambda: {"TinySTS": ()}, [], 2, tmp_path)


MEASURED = MetricsConfig(columns=Columns.opened, measures={"rankme": {}})


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"readout": replace(SETTINGS, texts=Path("/nowhere/own.txt"))}, "readout.texts: /nowhere/own.txt: No such"),
        ({"readout": SETTINGS, "tasks": Suite(("TinySTS",))}, "readout: is fitted on texts of training splits"),
        ({"metrics": MEASURED, "tasks": Suite(("TinySTS",))}, "tasks: metrics are measured on texts of training"),
        ({"readout": Readouts({"m": Readout(Form.mean, window=4)})}, "readout.entries: the window of mean-window4"),
    ],
)
def test_a_search_that_lacks_texts_or_layers_begins_with_that(plan, tmp_path, parts, told):
    with pytest.raises(ValueError, match=rf"^{re.escape(told)}"):
        run_search(plan(**parts), tmp_path / "run")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("readout", "told"),
    [
        (Readout(Form.mean, window=4), "the window of mean-window4 must be <= 3, the number of layers, got 4"),
        (
            Readout(Form.whitened, rank=5),
            "whitened-rank5 needs at least 6 texts to be fitted on, got 5; readout.texts_",
        ),
    ],
)
def test_what_the_model_or_the_texts_cannot_give_is_told_before_anything_is_scored(tmp_path, readout, told):
    settings = Readouts({"raw": RAW, "own": readout})
    with pytest.raises(ValueError) as refused:
        fitted_readouts(settings, lambda: {"task": tuple("abcde")}, [], 2, tmp_path)
    assert str(refused.value).startswith(f"readout.entries: {told}")


@pytest.mark.slow
def test_too_few_texts_fail_the_arms_of_that_readout_alone(plan, tmp_path):
    settings = Readouts({"raw": RAW, "w": Readout(Form.whitened)}, texts_per_task=8)
    assert run_search(plan(readout=settings), tmp_path / "run") == 3
    result = open_run(tmp_path / "run").result
    assert result.best.arm.is_raw
    reasons = {cell.reason for cell in result.skipped}
    assert all("whitened needs at least" in reason and "got 8" in reason for reason in reasons)


def _scores(run):
    found = {}
    for step in read_findings(run).trajectory:
        found.setdefault(step.arm, {}).update(step.scores)
    return found
