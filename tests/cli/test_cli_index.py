"""A damaged index of revisions: nothing leaves the plane, readers tell of it, and the run's owner writes it again."""

import json

import pytest

from tl_search.cli.main import main
from tl_search.runs.index import read_index
from tl_search.store.atomic import read_json, write_json
from tl_search.store.manifest import DamagedError, verify


def changed(line, **values):
    return json.dumps({**json.loads(line), **values}).encode()


DAMAGES = {
    "emptied": lambda lines: [],
    "dropped": lambda lines: [lines[0], *lines[2:]],
    "the last dropped": lambda lines: lines[:-1],
    "torn": lambda lines: [lines[0], lines[1][:20], *lines[2:]],
    "another step": lambda lines: [lines[0], changed(lines[1], step=3), *lines[2:]],
    "other tokens": lambda lines: [*lines[:-1], changed(lines[-1], tokens=7)],
    "other weights": lambda lines: [*lines[:-1], changed(lines[-1], weights="0" * 64)],
    "another form": lambda lines: [b"[]", *lines[1:]],
}


@pytest.mark.slow_but_one
@pytest.mark.parametrize("damage", [*DAMAGES, "deleted"])
def test_a_damaged_index_costs_no_revision_and_is_told_and_written_again(trained, run, damage, capsys):
    index, whole = run / "checkpoints" / "index.jsonl", (trained / "checkpoints" / "index.jsonl").read_bytes()
    if damage == "deleted":
        index.unlink()
    else:
        index.write_bytes(b"".join(line + b"\n" for line in DAMAGES[damage](whole.splitlines())))
    assert read_index(run) == read_index(trained)
    assert main(["report", str(run)]) == 0
    capsys.readouterr()
    assert main(["train", f"resume={run}"]) == 0
    assert "it was written again from the MANIFEST.json of the revisions" in " ".join(capsys.readouterr().err.split())
    assert index.read_bytes() == whole


def test_a_reader_tells_of_a_damaged_index_once_and_changes_nothing(run, caplog):
    index = run / "checkpoints" / "index.jsonl"
    index.write_bytes(b"")
    names = [line.name for line in read_index(run)]
    assert read_index(run)
    assert index.read_bytes() == b""
    [said] = [record.getMessage() for record in caplog.records]
    assert all(f"{name} is missing" in said for name in names)


def test_the_facts_of_a_manifest_are_covered_by_a_digest(trained, run):
    path = run / "revisions" / "step4" / "MANIFEST.json"
    write_json(path, {**read_json(path), "step": 3})
    with pytest.raises(DamagedError, match=r"step.* are not as they were written"):
        verify(path.parent)
    assert read_index(run) == read_index(trained)  # the index has the right step, and nothing else is whole
