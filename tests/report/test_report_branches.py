"""The tree of branches in the report of a training run."""

import shutil
from pathlib import Path

import pytest

from tl_search.cli.main import main
from tl_search.report.write import write_report
from tl_search.runs.parent import Parent
from tl_search.runs.record import RunRecord


@pytest.fixture(autouse=True)
def no_width(monkeypatch):
    """A width that another test or the shell has set would wrap the tree."""
    monkeypatch.delenv("COLUMNS", raising=False)


def branch(parent: Path, name: str, step: int, changed=(), run: str = "") -> Path:
    """A training run that says that it was branched; a copy of its parent otherwise."""
    folder = Path(shutil.copytree(parent, parent.with_name(name), symlinks=True))
    record = RunRecord.read(folder)
    stage, order = {"name": "whole", "weights": {}, "data": {}}, {"seed": 0, "epoch": 0, "step": 0}
    phases = ((0, 0, 4),)
    place, digest = run or str(parent.resolve()), record.digest
    own = Parent(place, digest, step, "0" * 64, {key: [0, 1] for key in changed}, stage, order, phases)
    record.__class__(**{**vars(record), "name": name, "parent": own}).write(folder)
    return folder


@pytest.fixture
def family(trained, tmp_path):
    """A run, two branches of it, and a branch of one of these."""
    root = Path(shutil.copytree(trained, tmp_path / "runs" / "train" / "base-12345678", symlinks=True))
    late = branch(root, "late", 4, ["seed"])
    early = branch(root, "early", 2, ["curriculum.stages.whole.weights.next_token", "curriculum.stages.a", "seed"])
    deeper = branch(early, "deeper", 4)
    return root, early, late, deeper


def told(capsys, run):
    capsys.readouterr()
    write_report(run)
    lines = capsys.readouterr().out.splitlines()
    return [line.rstrip() for line in lines if " · " in line]


def test_every_member_of_a_family_shows_the_whole_tree(family, capsys):
    root = told(capsys, family[0])
    assert [line.partition(" · ")[0].rstrip() for line in root] == [
        "base-12345678",
        "├── early",
        "│   └── deeper",
        "└── late",
    ]
    assert root[1].startswith(
        "├── early · from step 2 · other curriculum, seed · done at step 4 · lowest eval loss 5.5"
    )
    assert " · from step 4 · nothing changed · " in root[2]
    for run in family[1:]:
        assert told(capsys, run) == root


def test_a_run_without_parent_or_branch_has_no_tree(trained, capsys):
    assert told(capsys, trained) == []


def test_a_parent_that_is_gone_is_named_and_one_that_was_moved_is_found(family, capsys):
    shutil.rmtree(family[0])
    assert told(capsys, family[3])[0] == "base-12345678 · gone"
    moved = branch(family[1], "child", 4, run="/elsewhere/early")
    assert told(capsys, moved)[1].startswith("├── early · from step 2")


def test_damaged_records_and_circles_do_not_stop_the_report(family, capsys):
    root, early, late, _ = family
    (late / "run.json").write_text("{")
    record = RunRecord.read(root)
    own = RunRecord.read(early).parent
    record.__class__(**{**vars(record), "parent": Parent(**{**vars(own), "run": str(early.resolve())})}).write(root)
    assert any("deeper" in line for line in told(capsys, early))


@pytest.mark.slow
def test_a_real_branch_is_in_the_tree_of_its_parent(trained, tmp_path, monkeypatch, capsys):
    run = Path(shutil.copytree(trained, tmp_path / "runs" / "train" / trained.name, symlinks=True))
    monkeypatch.chdir(tmp_path)
    assert main(["train", f"branch_from={run}@step2", "seed=4"]) == 0
    assert " · from step 2 · other seed · done at step 4 · " in told(capsys, run)[1]
