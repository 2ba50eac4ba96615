"""The ledger: written once, checked when read, never silently replaced."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tl_search.plane.pull import Score, TaskSpec
from tl_search.scoring.ledger import ConflictError, Ledger

TASK = TaskSpec("SomeTask", "r1", "selection", "Classification", "accuracy", mteb="2.0")
RESULT = {"task_name": "SomeTask", "scores": {"selection": [{"main_score": 0.5, "hf_subset": "default", "nauc": None}]}}


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def score(arm) -> Score:
    return Score(arm, TASK, 0.5, 1.25, RESULT)


def test_gives_back_what_was_put_also_to_another_process(ledger, score):
    ledger.put(score)
    again = Ledger(ledger.folder).get(score.arm, TASK)
    assert again == score
    assert (again.seconds, again.result) == (1.25, RESULT)


def test_knows_nothing_of_other_cells(ledger, score, arms):
    ledger.put(score)
    assert ledger.get(arms(layer=4), TASK) is None
    assert ledger.get(arms(revision="step20"), TASK) is None
    for change in ({"split": "confirmation"}, {"revision": "r2"}, {"seed": 1}, {"mteb": "3.0"}, {"subset": "de"}):
        assert ledger.get(score.arm, replace(TASK, **change)) is None


def test_one_file_per_cell_in_two_levels_that_says_to_people_what_it_is(ledger, score):
    ledger.put(score)
    (path,) = ledger.folder.rglob("*.json")
    assert path == ledger.folder / score.key[:2] / f"{score.key}.json"
    assert json.loads(path.read_text())["cell"]["names"] == {
        "model": "demo/tiny", "revision": "step10", "step": 10, "layer": 3,
        "task": "SomeTask", "type": "Classification", "main_score": "accuracy",
    }  # fmt: skip


def test_putting_a_score_again_changes_nothing(ledger, score):
    ledger.put(score)
    before = ledger.path(score.arm, TASK).read_bytes()
    ledger.put(replace(score, seconds=9.0))
    assert ledger.path(score.arm, TASK).read_bytes() == before
    assert ledger.repeats == 0


def test_a_tiny_difference_keeps_the_first_and_is_counted(ledger, score):
    ledger.put(score)
    ledger.put(replace(score, value=0.50009))
    assert ledger.get(score.arm, TASK).value == 0.5
    assert ledger.repeats == 1


def test_another_score_for_the_same_cell_raises_and_keeps_the_first(ledger, score):
    ledger.put(score)
    with pytest.raises(ConflictError, match=r"SomeTask \(selection\) at step10/layer 3 of demo/tiny.* 0\.5, and now 0"):
        ledger.put(replace(score, value=0.6))
    assert ledger.get(score.arm, TASK).value == 0.5


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_damaged_byte_is_believed(tmp_path, arm, place, flip):
    ledger, score = Ledger(tmp_path), Score(arm, TASK, 0.5, 1.25, RESULT)
    path = ledger.path(arm, TASK)
    path.unlink(missing_ok=True)
    ledger.put(score)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data)
    read = ledger.get(arm, TASK)
    if read is None:
        assert not path.exists()
        assert ledger.quarantined[-1].read_bytes() == data
        ledger.put(score)
        read = ledger.get(arm, TASK)
    assert read == score  # white space may change and mean nothing
    assert read.result == RESULT


def test_an_edited_score_is_put_aside_and_its_cell_counts_as_not_scored(ledger, score):
    ledger.put(score)
    path = ledger.path(score.arm, TASK)
    path.write_text(path.read_text().replace('"value": 0.5', '"value": 0.9'))
    assert ledger.get(score.arm, TASK) is None
    assert [file.parent.name for file in ledger.quarantined] == ["quarantine"]
    ledger.put(score)
    assert ledger.get(score.arm, TASK) == score


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'"x"', b"\xff", b"[" * 100_000, None])
def test_what_is_no_record_of_a_cell_is_put_aside(ledger, score, content):
    path = ledger.path(score.arm, TASK)
    path.parent.mkdir(parents=True)
    path.mkdir() if content is None else path.write_bytes(content)
    assert ledger.get(score.arm, TASK) is None
    assert len(ledger.quarantined) == 1
    assert ledger.put(score) == score
    assert ledger.get(score.arm, TASK) == score


def test_a_file_under_another_cells_name_is_not_believed(ledger, score, arms):
    ledger.put(score)
    other = arms(layer=4)
    target = ledger.path(other, TASK)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(ledger.path(score.arm, TASK).read_bytes())
    assert ledger.get(other, TASK) is None
    assert len(ledger.quarantined) == 1


def test_many_writers_of_one_cell_leave_the_first_score_and_no_litter(ledger, score):
    def put(number: int) -> int:
        own = Ledger(ledger.folder)
        own.put(replace(score, value=0.5 + number * 1e-6))
        return own.repeats

    with ThreadPoolExecutor(8) as pool:
        repeats = list(pool.map(put, range(24)))
    assert sum(repeats) == 23
    assert [path.name for path in ledger.folder.rglob("*") if path.is_file()] == [f"{score.key}.json"]


def test_replicates_are_kept_by_number_and_seed(ledger, score):
    replicates = np.linspace(0, 1, 7)
    ledger.put_replicates(score.arm, TASK, replicates, seed=3)
    assert (Ledger(ledger.folder).get_replicates(score.arm, TASK, 7, 3) == replicates).all()
    assert ledger.get_replicates(score.arm, TASK, 7, 4) is None
    assert ledger.get_replicates(score.arm, TASK, 8, 3) is None


def test_damaged_replicates_count_as_absent(ledger, score):
    ledger.put_replicates(score.arm, TASK, np.linspace(0, 1, 50), seed=3)
    (path,) = (ledger.folder / "replicates").rglob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert ledger.get_replicates(score.arm, TASK, 50, 3) is None


def test_exports_mtebs_own_record_under_names_for_people(ledger, score, tmp_path):
    ledger.put(score)
    bare = replace(score, result={})  # the ledger has the record
    (path,) = ledger.export([bare], tmp_path / "scores")
    assert path.relative_to(tmp_path / "scores").parts[1:] == ("step10", "layer_003", "selection", "SomeTask.json")
    assert json.loads(path.read_text()) == RESULT


def test_a_cell_that_nobody_scored_is_not_exported(ledger, score, tmp_path):
    with pytest.raises(ValueError, match="cells: no record of SomeTask at step10/layer 3"):
        ledger.export([replace(score, result={})], tmp_path)


def test_replicates_of_other_draws_are_other_replicates(ledger, arm, monkeypatch):
    from tl_search.scoring import ledger as module

    ledger.put_replicates(arm, TASK, np.arange(100.0), seed=0)
    assert ledger.get_replicates(arm, TASK, 100, 0) is not None
    monkeypatch.setattr(module, "DRAWN_BY", "another")
    assert ledger.get_replicates(arm, TASK, 100, 0) is None


def test_of_two_writers_the_second_gets_the_score_of_the_first(ledger, score):
    ledger.put(score)
    assert ledger.put(replace(score, value=score.value + 5e-5)).value == score.value
