"""Columns whose files were exchanged, and columns that were written before files said whose they are."""

import json
import logging
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open

from tl_search.search.run import run_search
from tl_search.store.atomic import read_json

SCORED = ("best", "final_last", "final_best", "tasks", "skipped")


def columns(folder):
    """The files of columns by their revision; `tokens` has no columns."""
    found = {}
    for path in sorted((folder / "embeddings").glob("??/*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            found.setdefault(file.metadata()["note:revision"], []).append(path)
    return found


def answer(run):
    result = read_json(run / "result.json")
    return [result[name] for name in SCORED]


def again(plan, finished, tmp_path):
    """The same search with the columns that are there, but without a score."""
    return run_search(plan(ledger=tmp_path / "other", embeddings=tmp_path / "embeddings"), tmp_path / "run")


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished / "embeddings", tmp_path / "embeddings")
    return tmp_path


def test_a_columns_file_says_whose_it_is(finished):
    for paths in columns(finished).values():
        for path in paths:
            with safe_open(path, framework="numpy") as file:
                about = file.metadata()
            layers = [name for name in about if name.startswith("layer_")]  # each has a checksum
            assert about["note:key"] == path.stem
            assert about["note:layers"] == str(len(layers)) == "3"
            assert len(about["note:texts"]) == 32
            assert about["note:weights"]


@pytest.mark.slow
def test_exchanged_columns_are_noticed_told_and_made_anew(plan, finished, copied, count, caplog):
    found = columns(copied)
    first, second = (max(paths, key=lambda path: path.stat().st_size) for paths in list(found.values())[:2])
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert again(plan, finished, copied) == 0
    assert answer(copied / "run") == answer(finished / "run")
    told = [line for line in caplog.messages if "is the file of another entry" in line]
    assert {Path(line.partition(":")[0]) for line in told} <= {first, second}
    assert told
    assert sum(number for key, number in count.items() if key[0] == "pass") == len(told)


@pytest.mark.slow
def test_columns_of_before_are_read_and_that_is_told(plan, finished, copied, count, caplog):
    caplog.set_level(logging.INFO, "tl_search.store")
    for path in (copied / "embeddings").rglob("*.safetensors"):
        raw = path.read_bytes()
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + size])
        for name in ("key", "revision", "weights", "texts", "layers"):
            header["__metadata__"].pop(f"note:{name}", None)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])
    assert again(plan, finished, copied) == 0
    assert answer(copied / "run") == answer(finished / "run")
    assert not [key for key in count if key[0] == "pass"]
    assert [line for line in caplog.messages if "files of before, which do not say their entries" in line]
