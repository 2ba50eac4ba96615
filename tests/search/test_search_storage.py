"""What vectors take on disk: the limit, what goes first, what a search still needs, and what is left in the end."""

import logging
import os
from dataclasses import replace

import numpy as np
import pytest
from probe.tiny_models import make
from search.conftest import usual_plan

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.plane.readout import RAW, Form, Readout, Readouts
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.suites import Suite
from tl_search.search.run import run_search
from tl_search.search.storage import GB, HeldColumns, Storage
from tl_search.store.arrays import ArrayStore
from tl_search.store.atomic import read_json

READOUTS = Readouts({"raw": RAW, "s": Readout(Form.standardised)}, texts_per_task=40)
EVERYTHING = {"tasks": Suite(("TinyPairs",)), "bandit": Exhaustive(), "readout": READOUTS}
FOREIGN = ("a" * 32, "b" * 32, "c" * 32)  # entries of other searches, the one used longest ago first


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for number, name in enumerate(("step0", "step64")):
        make(folder / name, seed=12 + number, num_hidden_layers=1)
    return folder


@pytest.fixture
def search(plan):
    """Searches every cell of two checkpoints, two layers, two readouts and one task."""
    usual = plan(**EVERYTHING)
    return lambda run, **parts: run_search(replace(usual, **parts), run)


@pytest.fixture(scope="module")
def kept(models, tiny, tmp_path_factory):
    """The answer of a search that keeps its vectors, which lie elsewhere."""
    folder = tmp_path_factory.mktemp("kept")
    assert run_search(usual_plan(models, folder, **EVERYTHING), folder / "run") == 0
    return answer(folder / "run")


def answer(run):
    """A result without the time that it took."""
    return {**read_json(run / "result.json"), "seconds": 0}


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors"))


def columns(folder):
    return [name for name in files(folder) if not name.startswith("tokens/")]


def foreign(folder, size=1000):
    """Entries of so many bytes and a little more."""
    store = ArrayStore(folder)
    for age, key in enumerate(FOREIGN):
        store.put(key, {"layer_000": np.zeros((1, size // 4), np.float32)})
        os.utime(store.path(key), (age + 1, age + 1))
    return store


def test_what_was_used_longest_ago_goes_first_and_no_more_than_that(tmp_path):
    store = foreign(tmp_path)
    store.touch(FOREIGN[0])
    size = store.entries()[0].size
    held = HeldColumns(Storage(max_gb=(2 * size + 1) / GB), store, None, ())
    held.trim()
    assert [entry.key for entry in store.entries()] == [FOREIGN[2], FOREIGN[0]]
    held.trim()
    assert len(store.entries()) == 2
    replace(held, storage=Storage(max_gb=1e-9)).trim()
    assert [entry.key for entry in store.entries()] == [FOREIGN[0]]  # of a search that goes on, for all that is known
    assert not store.damaged


def test_files_of_others_in_the_folder_are_no_vectors(tmp_path):
    store = foreign(tmp_path)
    others = [tmp_path / "en/model.safetensors", tmp_path / f"en/{FOREIGN[0]}.safetensors"]
    others[0].parent.mkdir()
    for path in others:
        path.write_bytes(b"somebody's")
        os.utime(path, (1, 1))
    HeldColumns(Storage(max_gb=1e-9), store, None, ()).trim()
    assert store.entries() == []
    assert all(path.exists() for path in others)


def test_maps_of_readouts_count_as_columns_do(tmp_path):
    store = foreign(tmp_path)
    foreign(tmp_path / "readouts").touch(FOREIGN[2])
    HeldColumns(Storage(max_gb=store.entries()[0].size / GB), store, None, ()).trim()
    assert files(tmp_path) == [f"readouts/cc/{FOREIGN[2]}.safetensors"]


def test_nothing_is_embedded_twice_under_any_limit_and_the_answer_is_the_same(search, kept, tmp_path, count, caplog):
    foreign(tmp_path / "embeddings")
    count.clear()
    with caplog.at_level(logging.INFO):
        assert search(tmp_path / "run", store=Storage(max_gb=1e-6)) == 0
    passes = [number for key, number in count.items() if key[0] == "pass"]
    assert passes == [1] * len(passes) != []
    assert answer(tmp_path / "run") == kept
    assert caplog.text.count("more than store.max_gb=1e-06, which this search may still need") == 1
    assert "removed 3 files that were not used for longest" in caplog.text
    assert columns(tmp_path / "embeddings") == []  # the limit holds once nothing is needed


def test_vectors_are_kept_within_the_limit_for_the_next_search(search, tmp_path, count, caplog):
    with caplog.at_level(logging.INFO):
        assert search(tmp_path / "one") == 0
    left = files(tmp_path / "embeddings")
    assert f"{len(columns(tmp_path / 'embeddings'))} files of embeddings, 0." in caplog.text
    assert "kept for other searches" in caplog.text
    count.clear()
    assert search(tmp_path / "two", ledger=tmp_path / "other ledger") == 0
    assert {key[0] for key in count} == {"cell"}
    assert files(tmp_path / "embeddings") == left


def test_a_search_that_keeps_nothing_leaves_what_others_have_and_its_scores(search, kept, tmp_path, caplog):
    foreign(tmp_path / "embeddings")
    with caplog.at_level(logging.INFO):
        assert search(tmp_path / "run", store=Storage(keep=False)) == 0
    assert columns(tmp_path / "embeddings") == [f"{key[:2]}/{key}.safetensors" for key in FOREIGN]
    assert "files of this search, 0." in caplog.text
    assert answer(tmp_path / "run") == kept
    assert list((tmp_path / "ledger").glob("??/*.json"))
    assert list((tmp_path / "ledger/replicates").rglob("*.safetensors"))
    assert search(tmp_path / "run", store=Storage(keep=False)) == 0
    assert search(tmp_path / "again") == 0  # of scores alone
    without = {name: value for name, value in kept.items() if name != "texts_cut"}  # which no vectors can tell now
    assert answer(tmp_path / "again") == without
    assert columns(tmp_path / "embeddings") == [f"{key[:2]}/{key}.safetensors" for key in FOREIGN]


class Killed(BaseException):
    pass


@pytest.mark.slow_but_one
@pytest.mark.parametrize("at", [6, 9, 2])
def test_a_killed_search_that_keeps_nothing_embeds_nothing_again(search, kept, tmp_path, monkeypatch, count, at):
    real, calls, tight = Ledger.put, iter(range(1, 1000)), Storage(keep=False, max_gb=1e-6)

    def put(ledger, given):
        if next(calls) == at:
            raise Killed
        return real(ledger, given)

    count.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "put", put)
        with pytest.raises(Killed):
            search(tmp_path / "run", store=tight)
    assert columns(tmp_path / "embeddings")
    assert search(tmp_path / "run", store=tight) == 0
    assert max(number for key, number in count.items() if key[0] == "pass") == 1
    assert answer(tmp_path / "run") == kept
    assert columns(tmp_path / "embeddings") == []


def test_a_column_that_another_search_removes_before_it_is_read_is_embedded_again(search, kept, tmp_path, monkeypatch):
    real, removed = HeldColumns.trim, []

    def trim(held):
        if not removed:
            (entry,) = held.columns.entries()
            removed.append(held.columns.drop(entry.key))
        real(held)

    monkeypatch.setattr(HeldColumns, "trim", trim)
    assert search(tmp_path / "run") == 0
    assert removed
    assert answer(tmp_path / "run") == kept


@pytest.mark.parametrize("value", [0, -1, float("nan"), 1e12])
def test_a_limit_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match=r"^max_gb: must be "):
        Storage(max_gb=value)
