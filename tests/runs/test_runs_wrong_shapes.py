"""A file of a run that is no JSON, or JSON of another shape: one line names it and what heals it, whoever reads it."""

import json
import shutil
from pathlib import Path

import pytest
from runs.reading import AGAIN, opened

from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.cli.main import main
from tl_search.probe.loading import load_tokenizer
from tl_search.runs import index
from tl_search.runs.record import Done
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.search.finished import what_is_lost
from tl_search.search.trajectory import Trajectory

SHAPES = {
    "empty": b"",
    "a list": b"[]",
    "no entries": b"{}",
    "null": b"null",
    "a text": b'"x"',
    "other entries": b'{"a":1}',
    "no UTF-8": b"\xff\xfe{",
    "nested too deeply": b"[" * 100_000,
    "a folder": None,
}
TRAINING, SEARCH = "runs/train/longer-9a5d7c9c", "runs/search/found-c55e6c1c"
SCORE = "scores/longer-9a5d7c9c/step6/layer_002/confirmation/StdlibHalvesPairClassification.json"
HEALED_BY = ("repeat the command", "copy ", "remove ", "move it away")


@pytest.fixture
def study(old_runs, monkeypatch):
    monkeypatch.chdir(old_runs)
    monkeypatch.setattr(index, "_told", set())
    return old_runs


def put(file: Path, content: bytes | None) -> None:
    if file.is_dir():
        file.rmdir()
    file.unlink(missing_ok=True)  # it may be a second name of another one
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)


READERS = {
    "report a training": lambda: main(["report", TRAINING]),
    "report a search": lambda: main(["report", SEARCH]),
    "resume": lambda: main(["train", f"resume={TRAINING}", "data.corpus.path=text"]),
    "evaluate": lambda: main(["evaluate", TRAINING]),
    "schedule": lambda: main(["schedule", f"resume={TRAINING}"]),
    "search": lambda: main(["search", TRAINING, *AGAIN]),
    "open a training": lambda: opened(TRAINING),
    "open a search": lambda: opened(SEARCH),
}


def told(reader: str, capsys) -> tuple[int, str]:
    """How a reader ends, and the lines that it says."""
    capsys.readouterr()
    try:
        code = READERS[reader]()
    except ValueError as error:  # Python's way; its line is that of the command line
        return 2, f"error: {error}\n"
    return code, capsys.readouterr().err


def refused(file: Path, reader: str, capsys) -> None:
    code, said = told(reader, capsys)
    assert (code, said.count("\n")) == (2, 1), said
    assert said.startswith("error: ")
    assert file.name in said or str(file.parent) in said
    assert any(way in said for way in HEALED_BY), said
    assert len(said) < 600


# File → who reads it. The first one is shown all shapes, the others one each.
FILES = {
    f"{TRAINING}/run.json": ("open a training", "resume", "schedule", "evaluate"),
    f"{TRAINING}/DONE.json": ("open a training", "report a training", "resume"),
    f"{TRAINING}/config.yaml": ("schedule", "resume", "evaluate"),
    f"{TRAINING}/checkpoints/best.json": ("report a training",),
    f"{TRAINING}/checkpoints/step6/MANIFEST.json": ("resume",),
    f"{TRAINING}/revisions/main/MANIFEST.json": ("evaluate",),
    f"{SEARCH}/run.json": ("open a search", "report a search", "search"),
    f"{SEARCH}/DONE.json": ("open a search", "report a search", "search"),
    f"{SEARCH}/plane.json": ("open a search", "report a search"),
    f"{SEARCH}/result.json": ("open a search", "report a search"),
    f"{SEARCH}/bandit_state.json": ("open a search", "report a search"),
    f"{SEARCH}/config.yaml": ("open a search", "report a search"),
    f"{SEARCH}/{SCORE}": ("open a search",),
}


@pytest.mark.slow_but_one
@pytest.mark.parametrize("file", FILES)
def test_every_reader_says_one_line(study, capsys, file):
    first, *others = FILES[file]
    shapes = list(SHAPES)
    for reader, shape in [*((first, shape) for shape in shapes), *zip(others, shapes[1:], strict=False)]:
        put(Path(file), SHAPES[shape])
        refused(Path(file), reader, capsys)


def change(file: str, entry: str, value: object) -> None:
    """Put a value at a place such as `best.arm` or `trajectory.0`."""
    said = json.loads(Path(file).read_text())
    *path, last = (int(part) if part.isdigit() else part for part in entry.split("."))
    place = said
    for part in path:
        place = place[part]
    place[last] = value
    Path(file).write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("file", "entry", "value", "reader"),
    [
        (f"{TRAINING}/run.json", "plan", {}, "open a training"),
        (f"{TRAINING}/run.json", "history", [{}], "open a training"),
        (f"{TRAINING}/run.json", "seed", "0", "resume"),
        (f"{TRAINING}/DONE.json", "step", "6", "report a training"),
        (f"{TRAINING}/DONE.json", "digest", 6, "resume"),
        (f"{TRAINING}/checkpoints/best.json", "value", "low", "report a training"),
        (f"{TRAINING}/checkpoints/best.json", "revision", None, "report a training"),
        (f"{TRAINING}/revisions/main/MANIFEST.json", "files", {"config.json": 7}, "evaluate"),
        (f"{TRAINING}/checkpoints/step6/MANIFEST.json", "files", {}, "resume"),
        (f"{SEARCH}/plane.json", "n_layers", "2", "open a search"),
        (f"{SEARCH}/plane.json", "revisions.0", "step0", "report a search"),
        (f"{SEARCH}/result.json", "best.confirmation.interval", 7, "report a search"),
        (f"{SEARCH}/bandit_state.json", "trajectory.0.cost", None, "open a search"),
        (f"{SEARCH}/DONE.json", "exit_code", True, "open a search"),
        (f"{SEARCH}/{SCORE}", "scores", [], "open a search"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_a_value_of_another_type_is_named(study, capsys, file, entry, value, reader):
    change(file, entry, value)
    refused(Path(file), reader, capsys)


@pytest.mark.parametrize("shape", SHAPES)
def test_decisions_of_another_shape_name_their_line(tmp_path, shape):
    line = b'{"t":0,"arm":["step0",1],"tasks":["A"]}\n'
    content = SHAPES[shape]
    put(tmp_path / "pulls.jsonl", None if content is None else line + content + b"\n")
    with pytest.raises(ValueError, match=r"pulls\.jsonl: (line 2: )?damaged.*; remove it and repeat the command"):
        Trajectory(tmp_path, "model", "ucb", 1.0)


def of_another_search(text: str) -> str:
    state = json.loads(text)
    state["trajectory"][1]["arm"] = state["trajectory"][0]["arm"]
    return json.dumps(state)


def older(text: str) -> str:
    state = json.loads(text)
    del state["trajectory"][-1]
    return json.dumps(state)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (None, "missing"),
        (lambda text: "", "damaged, not JSON"),
        (of_another_search, "is not of this search, see pulls.jsonl; remove it and repeat the command"),
        (older, "is not of this search, see pulls.jsonl; remove it and repeat the command"),
    ],
)
def test_a_summary_that_is_not_of_the_decisions_is_lost_and_no_reader_believes_it(study, capsys, change, told):
    path, run = Path(SEARCH, "bandit_state.json"), Path(SEARCH)
    assert what_is_lost(run, Done.read(run)) is None
    text = path.read_text()
    path.unlink()
    if change is not None:
        path.write_text(change(text))
    assert f"{path}: {told}" in what_is_lost(run, Done.read(run))  # so the search is repeated, from the ledger
    assert main(["report", SEARCH]) == 2
    said = capsys.readouterr().err
    assert f"{path}: {told}" in said
    assert said.count("\n") == 1


def of_version(path: Path, version: str) -> None:
    record = json.loads(path.read_text())
    record["versions"]["tl-search"] = version
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(("version", "told"), [("99.0", "is of tl_search 99.0, newer than"), ("x", "which is none")])
def test_a_search_of_a_newer_version_is_not_gone_on_with(study, version, told):
    of_version(Path(SEARCH, "plane.json"), version)
    with pytest.raises(ValueError, match=rf"^run: {SEARCH} .*{told}"):
        SearchedPlane.read(Path(SEARCH)).begin(Path(SEARCH))


@pytest.mark.slow
def test_a_training_of_a_newer_version_is_not_gone_on_with(study, capsys):
    of_version(Path(TRAINING, "run.json"), "99.0")
    Path(TRAINING, "DONE.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in Path(TRAINING, "checkpoints").rglob("*")}
    assert main(["train", f"resume={TRAINING}", "data.corpus.path=text", "trainer.max_steps=7"]) == 2
    assert "is of tl_search 99.0, newer than" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in Path(TRAINING, "checkpoints").rglob("*")} == before


@pytest.mark.slow_but_one
@pytest.mark.parametrize("shape", SHAPES)
def test_a_finished_training_writes_its_pointers_again_and_says_so(study, capsys, shape):
    best, last = (Path(TRAINING, "checkpoints", f"{name}.json") for name in ("best", "last"))
    before = best.read_bytes(), last.read_bytes()
    for file in (best, last):
        put(file, SHAPES[shape])
    code, said = told("resume", capsys)
    if SHAPES[shape] is None:  # a folder of a person's is not removed
        assert (code, said.count("\n")) == (2, 1)
        assert "best.json" in said
        assert said.endswith("move it away\n")
    else:
        assert code == 0
        assert "checkpoints/best.json: was missing or damaged, and was written again\n" in said
        assert "checkpoints/last.json: was missing or damaged, and names the newest state now, step6\n" in said
        assert (best.read_bytes(), last.read_bytes()) == before


@pytest.mark.slow_but_one
@pytest.mark.parametrize("content", ['{"name": "step4", "step": 4}', None], ids=["older", "gone"])
def test_a_kill_between_the_last_state_and_its_pointer_is_healed_and_told(study, capsys, content):
    last = Path(TRAINING, "checkpoints", "last.json")
    before = last.read_bytes()
    Path(TRAINING, "DONE.json").unlink()
    last.unlink()
    if content:
        last.write_text(content)
    code, said = told("resume", capsys)
    assert code == 0
    assert "checkpoints/last.json: " in said
    assert "names the newest state now, step6\n" in said
    assert last.read_bytes() == before
    assert Path(TRAINING, "DONE.json").is_file()
    assert told("resume", capsys)[1].count("\n") == 1  # that it is complete


def test_the_settings_of_a_search_are_written_again_by_its_command(study, capsys):
    settings = Path(SEARCH, "config.yaml")
    settings.write_text("")
    code, said = told("search", capsys)
    assert code == 0
    assert "config.yaml: damaged (it is empty); it was written again\n" in said
    assert "checkpoints:" in settings.read_text()


def test_settings_that_were_cut_off_are_no_other_configuration(study, capsys):
    settings = Path(TRAINING, "config.yaml")
    settings.write_text(settings.read_text().partition("\noptimizer:")[0])
    code, said = told("resume", capsys)
    assert (code, said.count("\n")) == (2, 1)
    assert "config.yaml: damaged (it has no " in said
    way = said.rstrip().rpartition("; ")[2]
    shutil.copy(way.removeprefix("copy ").removesuffix(" there"), settings)
    assert told("resume", capsys)[0] == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.slow_but_every(3)
def test_a_file_of_a_schedule_is_named(tmp_path, capsys, shape):
    put(file := tmp_path / "mine.json", SHAPES[shape])
    assert main(["schedule", f"from={file}", "horizon.total=9"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: from: ")
    assert str(file) in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("shape", ["empty", "a list", "null", "a text", "no UTF-8", "nested too deeply"])
def test_a_model_of_a_folder_is_left_out_by_name(study, caplog, name, shape):
    put(Path(TRAINING, "revisions", "step6", name), SHAPES[shape])
    found = FolderCheckpoints(f"{TRAINING}/revisions").revisions()
    assert "step6" not in [revision.name for revision in found]
    assert "step6: left out, since its config.json or that of its tokenizer cannot be read" in caplog.text


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tokenizer_that_does_not_load_is_one_line(study, shape):
    folder = Path(TRAINING, "revisions", "step6")
    put(folder / "tokenizer.json", SHAPES[shape])
    with pytest.raises(ValueError, match=r"step6: its tokenizer does not load|step6.*, which does not") as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)
