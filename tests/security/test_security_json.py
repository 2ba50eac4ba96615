"""JSON and YAML that somebody else wrote: one line for what is too large, too deep or no number, in little memory."""

import copy
import json
import os
import resource
import shutil
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs.conftest import old_runs  # noqa: F401  a fixture
from runs.reading import opened

from tl_search.cli.main import main
from tl_search.probe.loading import load_model, load_tokenizer
from tl_search.runs import index
from tl_search.runs.model_files import check_config
from tl_search.runs.settings import read_settings
from tl_search.store.journal import Journal
from tl_search.store.outside import LARGE, LIMIT, YAML_LIMIT, parse_json, read_json, read_yaml

TRAINING, SEARCH = "runs/train/longer-9a5d7c9c", "runs/search/found-c55e6c1c"


@pytest.fixture
def study(old_runs, monkeypatch):  # noqa: F811
    monkeypatch.chdir(old_runs)
    monkeypatch.setattr(index, "_told", set())
    return old_runs


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


ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
YAML = {
    "an alias bomb": (ALIASES, "more than 50,000 values, counting what its aliases repeat"),
    "aliases in itself": ("a: &a [1, *a]\n", r"the alias \*a repeats what it is in"),
    "brackets": ("a: " + "[" * 20_000, "cannot be read as YAML"),
    "deep": ("a: " + "[" * 100 + "]" * 100, "nests more than 64 deep"),
    "large": ("a: " + "x" * YAML_LIMIT, "and may have 1,048,576"),
    "many values": ("a: [" + "1," * 60_000 + "]", "more than 50,000 values"),
    "base 60": ("a: 1" + ":0" * 200_000, "a number of 400,001 digits"),
    "digits": ("a: " + "9" * 5000, "a number of 5,000 digits"),
    "twice": ("a: 1\na: 2\n", "the key 'a' stands there twice"),
    "an object": ("a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    "latin-1": (b"a: \xe9\xff\n", "cannot be read as YAML"),
    "no date": ("a: 2001-99-99\n", "month must be in 1..12"),
}


@pytest.mark.parametrize("kind", YAML)
def test_yaml_that_no_program_of_ours_wrote_is_one_line(study, capsys, kind):
    content, said = YAML[kind]
    data = content if isinstance(content, bytes) else content.encode()
    path = Path(SEARCH, "config.yaml")
    path.write_bytes(data)
    began = time.monotonic()
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"config\.yaml: damaged"):
        read_settings(Path(SEARCH))
    schedule = study / "mine.yaml"
    schedule.write_bytes(data)
    assert main(["schedule", f"from={schedule}", "horizon.total=9"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert time.monotonic() - began < 20


def test_aliases_that_a_person_writes_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: &base {lr: 0.1}\nother:\n  <<: *base\n  steps: &s [1, 2]\nsame: *s\n")
    assert read_yaml(path)["other"] == {"lr": 0.1, "steps": [1, 2]}


@pytest.mark.parametrize("kind", ["an alias bomb", "aliases in itself", "deep", "base 60"])
@pytest.mark.parametrize("place", ["experiments", "elsewhere"])
def test_an_experiment_is_read_no_other_way(study, capsys, kind, place):
    folder = study / "experiments" if place == "experiments" else study / "elsewhere" / "experiments"
    folder.mkdir(parents=True)
    content = YAML[kind][0]
    assert isinstance(content, str)
    (folder / "mine.yaml").write_text(f"# @package _global_\n{content}")
    words = [] if place == "experiments" else [f"hydra.searchpath=[file://{study / 'elsewhere'}]"]
    before = sorted(study.rglob("*"))
    code = main(["train", "experiments=mine", *words])
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1), said
    assert "mine.yaml: cannot be read as YAML" in said
    assert sorted(study.rglob("*")) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", 1e9),
        ("n_layer", 5_000),
        ("num_labels", 10**9),
        ("num_local_experts", 10**6),
        ("text_config", {"num_layers": 10**7}),
        ("depths", [3, 10**8]),
    ],
)
def test_a_model_of_more_parts_than_any_has_is_not_built(study, key, value):
    folder = Path(TRAINING, "revisions", "step6")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    for read in (check_config, lambda folder: load_model(folder, torch.float32)):
        with pytest.raises(ValueError, match=r"step6/config\.json: .*must be at most [\d,]+, got"):
            read(folder)


WRONG = [
    ("num_attention_heads", 0), ("hidden_size", "x"), ("hidden_size", -1), ("vocab_size", None), ("vocab_size", 10**9),
    ("hidden_act", 7), ("model_type", []), ("rope_parameters", 3), ("layer_norm_eps", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_config_that_describes_no_model_is_one_line(study, key, value):
    folder = Path(TRAINING, "revisions", "step6")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(ValueError, match=rf"^{folder}[^\n]*$"):
        load_model(folder, torch.float32)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_20_000_brackets_in_a_tokenizer_are_one_line(study, name):
    folder = Path(TRAINING, "revisions", "step6")
    (folder / name).unlink()
    (folder / name).write_text("[" * 20_000)
    with pytest.raises(ValueError, match=rf"^{folder}[^\n]*$"):
        load_tokenizer(folder)


# What every reader may meet: any value in the place of any other, and any entry gone.
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.sampled_from(["../../../victim", "/etc/passwd", "step4\0", "x" * 300, "\x1b[31m", "NaN", "1e400", ""]),
    st.just([]), st.just({}), st.just([[[]]]), st.just({"a": {"b": [None]}}), st.lists(st.integers(), max_size=3),
)  # fmt: skip


def places(value: object) -> list[tuple]:
    """The way to every entry of a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(key, *way) for key, item in children for way in [(), *places(item)]]


@st.composite
def mutated(draw, value):
    """A JSON value with one to three entries replaced, removed or moved."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        ways = places(value)
        if not ways:
            return draw(VALUES)
        *way, last = draw(st.sampled_from(ways))
        parent = value
        for key in way:
            parent = parent[key]
        act = draw(st.sampled_from(["replace", "replace", "remove", "double"]))
        if act == "remove":
            del parent[last]
        elif act == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        else:
            parent[last] = copy.deepcopy(draw(VALUES))  # a drawn list is one object, however often it is drawn
    return value


FUZZED = {
    TRAINING: (
        *("run.json", "DONE.json", "checkpoints/best.json", "checkpoints/last.json", "checkpoints/index.jsonl"),
        *("checkpoints/step6/MANIFEST.json", "revisions/main/MANIFEST.json", "revisions/step6/MANIFEST.json"),
        *("revisions/step6/config.json", "revisions/step6/tokenizer_config.json"),
    ),
    SEARCH: (
        *("run.json", "DONE.json", "plane.json", "result.json", "bandit_state.json", "pulls.jsonl"),
        "scores/longer-9a5d7c9c/step6/layer_002/confirmation/StdlibHalvesPairClassification.json",
    ),
}  # fmt: skip
QUICK = {
    "open": opened,
    "report": lambda run: main(["report", run]),
    "list": lambda _: main(["list"]),
    "schedule": lambda run: main(["schedule", f"resume={run}"]) if run == TRAINING else 0,
}
SLOW = {
    "resume": lambda run: main(["train", f"resume={run}", "data.corpus.path=text"]) if run == TRAINING else 0,
    "set back": lambda run: main(["train", f"resume={run}@step6", "data.corpus.path=text"]) if run == TRAINING else 0,
    "evaluate": lambda run: main(["evaluate", run]) if run == TRAINING else 0,
    "tokenizer": lambda _: load_tokenizer(Path(TRAINING, "revisions", "step6")) and 0,
}


def outside(study: Path, run: str) -> dict[Path, tuple[int, int]]:
    """What no reader may touch: all but the run, and what the commands share."""
    own = (study / run, study / "runs" / "ledger", study / "runs" / "cache", study / "runs" / "embeddings")
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in study.rglob("*")
        if path.is_file() and not any(path.is_relative_to(one) for one in own)
    }


def survive(data: st.DataObject, study: Path, readers: dict) -> None:
    run = data.draw(st.sampled_from(list(FUZZED)))
    name = data.draw(st.sampled_from(FUZZED[run]))
    reader = data.draw(st.sampled_from(list(readers)))
    path, kept = Path(run, name), study.parent / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(run, kept, symlinks=True)
    try:
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        number = data.draw(st.integers(0, len(lines) - 1))
        lines[number] = json.dumps(data.draw(mutated(json.loads(lines[number]))))
        path.unlink()  # it may be a second name of another one
        path.write_text("\n".join(lines) + "\n")
        before, began = outside(study, run), time.monotonic()
        try:
            code = readers[reader](run)
        except ValueError:  # Python's way
            code = 2
        assert code in (0, 2, 3), (run, name, reader)
        assert time.monotonic() - began < 60
        assert outside(study, run) == before
    finally:
        shutil.rmtree(run)
        shutil.copytree(kept, run, symlinks=True)


FUZZING = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


def test_no_mutation_of_a_file_ends_in_a_traceback_or_is_written_elsewhere(study):
    @settings(max_examples=30, **FUZZING)
    @given(st.data())
    def fuzz(data):
        survive(data, study, QUICK)

    fuzz()


@pytest.mark.slow
def test_no_mutation_survives_many_more_tries(study):
    @settings(max_examples=1_500, **FUZZING)
    @given(st.data())
    def fuzz(data):
        survive(data, study, {**QUICK, **SLOW})

    fuzz()


def test_a_hostile_file_costs_little_memory(study):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = Path(SEARCH, "bandit_state.json")
    path.write_bytes(b"[" + b'{"":0},' * (LARGE // 7))
    with pytest.raises(ValueError, match="values"):
        read_json(path, LARGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # KiB
