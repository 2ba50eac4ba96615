"""JSON and logs that somebody else wrote: one line for what is too large, too deep or no number, in little memory."""

import json
import os
import resource

import pytest

from tl_search.store.journal import Journal
from tl_search.store.outside import LARGE, LIMIT, parse_json, read_json


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 20_000, "nests more than 64 deep"),
        (b"[" * 65 + b"1" + b"]" * 65, "nests more than 64 deep"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, "nests more than 64 deep"),
        (b'{"a": 1e400}', "1e400, which is too large a number"),
        (b'{"a": NaN}', "NaN, which is no number"),
        (b"[-Infinity]", "-Infinity, which is no number"),
        (b"[" + b"9" * 5000 + b"]", "an integer of 5,000 digits"),
        (b"[" + b"9" * 50 + b"]", "an integer of 50 digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands there twice"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b"[" + b"[]," * 1_100_000 + b"1]", "more than 1,048,576 values"),
        (b'"' + b"x" * LIMIT + b'"', "and may have 16,777,216"),
    ],
    ids=["brackets", "deep lists", "deep objects", "1e400", "NaN", "infinity", "5000 digits", "50 digits", "twice",
         "half a character", "many values", "large"],
)  # fmt: skip
def test_json_that_no_program_of_ours_wrote_is_one_line(tmp_path, content, said):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: damaged")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_a_run_holds_fits(tmp_path):
    value = {"number": 1e308, "long": 10**31 - 1, "name": "é\U0001f600", "deep": json.loads("[" * 60 + "]" * 60)}
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "run.json"
    {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda path: os.symlink("/dev/zero", path)}[kind](path)
    with pytest.raises(ValueError, match=f"a {'folder' if kind == 'folder' else 'device'} where a file should be"):
        read_json(path)


@pytest.mark.parametrize(
    "lines", [b"\n" * 600_000, b'{"t":0}\n' * 600_000, b"[" * 20_000 + b"\n"], ids=["empty", "many", "deep"]
)
def test_a_log_of_too_many_lines_is_one_line(tmp_path, lines):
    path = tmp_path / "pulls.jsonl"
    path.write_bytes(lines)
    with pytest.raises(ValueError, match=r"pulls\.jsonl: (line 1: )?damaged"):
        Journal(path).peek()


def test_a_log_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "pulls.jsonl"
    with path.open("wb") as file:
        file.truncate(LARGE + 1)  # a hole: it takes no space on the disk
    with pytest.raises(ValueError, match="and may have"):
        Journal(path).peek()


def test_a_hostile_file_costs_little_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = tmp_path / "bandit_state.json"
    path.write_bytes(b"[" + b'{"":0},' * (LARGE // 7))
    with pytest.raises(ValueError, match="values"):
        read_json(path, LARGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # KiB
