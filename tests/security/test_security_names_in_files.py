"""Names in the files of a run that somebody shared are names: none leads to a file or a folder outside of the run."""

import json
import os
from pathlib import Path

import pytest
import torch
from runs.conftest import old_runs  # noqa: F401  a fixture
from runs.reading import AGAIN, opened

from tl_search.cli.main import main
from tl_search.runs import index
from tl_search.runs.outcome import Outcome
from tl_search.runs.pointers import Named, Pointer
from tl_search.runs.pulls import BanditState
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.runs.states import is_set_back
from tl_search.search.trajectory import Trajectory
from tl_search.store.manifest import verify, write_manifest
from tl_search.store.typed_json import from_plain

TRAINING, SEARCH = "runs/train/longer-9a5d7c9c", "runs/search/found-c55e6c1c"


@pytest.fixture
def study(old_runs, monkeypatch):  # noqa: F811
    """A working directory with runs that somebody shared, and a folder of one's own."""
    monkeypatch.chdir(old_runs)
    monkeypatch.setattr(index, "_told", set())
    (old_runs / "runs" / "victim").mkdir()
    (old_runs / "runs" / "victim" / "config.json").write_text('{"mine": "a canary"}')
    return old_runs


def far_names(study: Path) -> list[object]:
    """From `revisions/` and `checkpoints/` of a run, the first ones lead to the victim."""
    return [
        *("../../../victim", str(study / "runs" / "victim"), "step4/../../../../victim", "step4\0", "x" * 300),
        *("..", ".", "", "a\nb", "-rf", "\u202estep4", 7, None, ["step4"], "nested/step4"),
    ]


def change(file: Path, entry: str, value: object) -> None:
    """Put a value at a place such as `best.arm` of a file, or of the first line of a log."""
    first, *others = file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
    said = json.loads(first)
    *way, last = (int(part) if part.isdigit() else part for part in entry.split("."))
    place = said
    for part in way:
        place = place[part]
    place[last] = value
    file.write_text("\n".join([json.dumps(said), *others]) + "\n")


RESUME = ("data.corpus.path=text",)
READERS = {
    "report": lambda run: main(["report", run]),
    "resume": lambda run: main(["train", f"resume={run}", *RESUME]),
    "set back": lambda run: main(["train", f"resume={run}@step6", *RESUME]),
    "longer": lambda run: main(["train", f"resume={run}", "trainer.max_steps=7", *RESUME]),
    "search again": lambda run: main(["search", TRAINING, *AGAIN]),
    "open": opened,
}


def told(reader: str, run: str, capsys) -> tuple[int, str]:
    capsys.readouterr()
    try:
        code = READERS[reader](run)
    except ValueError as error:  # Python's way
        return 2, f"error: {error}\n"
    out, err = capsys.readouterr()
    return code, out + err


def outside(study: Path) -> dict[Path, tuple[int, bytes]]:
    """What no command may touch."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in study.glob("runs/victim/*")}


def lines_of(run: Path) -> None:
    for number, line in enumerate(index.index_of(run).records(), 1):
        with index.index_of(run).fitting(number):
            from_plain(index.WrittenRevision, line)


READ = {
    "checkpoints/index.jsonl": lines_of,
    "checkpoints/best.json": lambda run: Pointer.read(run, "best"),
    "checkpoints/last.json": lambda run: Named.by(run / "checkpoints" / "last.json"),
    "checkpoints/rewound.json": lambda run: is_set_back(run, "step6"),
    "plane.json": SearchedPlane.read,
    "result.json": Outcome.read,
    "bandit_state.json": BanditState.read,
    "pulls.jsonl": lambda run: Trajectory(run, "model", "ucb", 1.0),
}
BAD = r"is no valid name|(name|revision) is|an arm must be|has no entry"
PLACES = [
    (TRAINING, "checkpoints/index.jsonl", "name", "longer"),
    (TRAINING, "checkpoints/best.json", "revision", "resume"),
    (TRAINING, "checkpoints/best.json", "name", "set back"),
    (TRAINING, "checkpoints/last.json", "name", "longer"),
    (TRAINING, "checkpoints/rewound.json", "name", "set back"),
    (SEARCH, "plane.json", "revisions.0.name", "search again"),
    (SEARCH, "result.json", "best.arm.0", "report"),
    (SEARCH, "bandit_state.json", "trajectory.0.arm.0", "open"),
    (SEARCH, "pulls.jsonl", "arm.0", ""),
]


@pytest.mark.parametrize(("run", "file", "entry", "reader"), PLACES, ids=[f"{f}:{e}" for _, f, e, _ in PLACES])
@pytest.mark.slow_but_every(3)
def test_a_name_that_leads_out_of_the_run_moves_and_reads_nothing(study, capsys, run, file, entry, reader):
    path = Path(run, file)
    if file == "pulls.jsonl":
        Path(run, "DONE.json").unlink()
    if not path.exists():
        path.write_text("{}")
    whole, before = path.read_text(), outside(study)
    for name in far_names(study):
        if name == ("nested/step4" if run == SEARCH else None):
            continue  # a branch of the Hub may be named so; a pointer to a step needs no name
        change(path, entry, name)
        with pytest.raises(ValueError, match=BAD) as caught:
            READ[file](Path(run))
        assert len(str(caught.value)) < 400
        path.write_text(whole)
    if file == "pulls.jsonl":  # which needs a whole search to come there
        return
    change(path, entry, far_names(study)[0])
    if entry == "name" and file.endswith("index.jsonl"):
        change(path, "step", 999)  # after the run's end: what lies there is moved away
    code, said = told(reader, run, capsys)
    assert code in (0, 2), said
    assert "Traceback" not in said
    assert "canary" not in said
    assert code == 0 or said.count("\n") == 1
    assert outside(study) == before
    assert not [link for link in Path(run).rglob("*") if link.is_symlink() and "/" in os.readlink(link)]


@pytest.mark.parametrize(
    "name", ["../../../../victim/config.json", "/etc/hostname", "a\0b", "x" * 300, "../step4/run.yaml"]
)
def test_a_manifest_lists_files_of_its_folder_alone(study, name):
    path = Path(TRAINING, "checkpoints", "step6", "MANIFEST.json")
    said = json.loads(path.read_text())
    said["files"][name] = next(iter(said["files"].values()))
    path.write_text(json.dumps(said))
    with pytest.raises(ValueError, match=r"files: .* is no valid name"):
        verify(path.parent)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("name", ["../../../victim", None])
def test_the_best_that_a_state_remembers_leads_to_no_other_folder(study, capsys, name):
    folder = Path(TRAINING, "checkpoints", "step6")
    state = torch.load(folder / "state.ckpt", weights_only=True)
    state["callbacks"]["BestCheckpoint[best]"]["best"]["revision"] = name
    torch.save(state, folder / "state.ckpt")
    facts = json.loads((folder / "MANIFEST.json").read_text())
    del facts["files"]
    write_manifest(folder, **facts)
    Path(TRAINING, "checkpoints", "best.json").unlink()
    Path(TRAINING, "DONE.json").unlink()
    code, said = told("resume", TRAINING, capsys)
    assert (code, said.count("\n")) == (2, 1), said
    assert "state.ckpt" in said
    assert not [link for link in Path(TRAINING).rglob("*") if link.is_symlink() and "/" in os.readlink(link)]


def test_a_name_of_the_command_line_leads_to_no_other_folder(study, capsys):
    for words in (["evaluate", f"{TRAINING}@../../../victim"], ["train", f"resume={TRAINING}@../../../victim"]):
        code = main(words)
        said = "".join(capsys.readouterr())
        assert (code, said.count("\n")) == (2, 1), said
        assert "canary" not in said
