"""JSON files of a run with entries replaced, removed and repeated: no reader ends in a traceback or writes outside."""

import copy
import json
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs.reading import opened
from security.conftest import SEARCH, TRAINING

from tl_search.cli.main import main
from tl_search.probe.loading import load_tokenizer

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
        before, began = outside(study, run), time.process_time()
        try:
            code = readers[reader](run)
        except ValueError:  # Python's way
            code = 2
        assert code in (0, 2, 3), (run, name, reader)
        assert time.process_time() - began < 60  # of this process alone, on a machine that may be busy
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
