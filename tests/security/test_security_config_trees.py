"""Any value in any node of a composed config: every command answers in one line or does its work, and nothing else."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from security.conftest import SEARCH, TRAINING
from security.hostile import SIBLINGS, nodes, values, word

from tl_search.cli import commands
from tl_search.cli.config.compose import parse
from tl_search.cli.config.preflight import preflight
from tl_search.cli.main import main
from tl_search.errors.kinds import Terminated

CANARY = "Zq7-canary.Zq7+of/no=form"
SMALL = (
    *("data=files", "data.corpus.path=text", "data.batch_size=2", "data.validation_share=0.2"),
    *("data.validation_batches=1", "tokenizer=bytes", "model.width=8", "model.blocks=1", "model.heads=2"),
    *(
        "model.rotary_share=0.5",
        "model.context=16",
        "trainer.max_steps=2",
        "trainer.accelerator=cpu",
        "callbacks.progress=null",
    ),
)
TASKS = (
    "tasks.names=[TinyPairs,TinySTS]",
    "probe.accelerator=cpu",
    "extraction.max_length=32",
    "confirm.resamples=100",
)
LINES = {
    "train": ("train", *SMALL, "logger=none", "schedule=none"),
    "train, with more": ("train", *SMALL, "curriculum=two_stage", "callbacks=live_all", "ema_decay=0.9"),
    "search": ("search", TRAINING, *TASKS, "budget.pulls=1"),
    "search, with more": ("search", TRAINING, *TASKS, "budget.pulls=1", "bandit=ts", "sampling=log", "metrics=all"),
    "run": ("run", *SMALL, *TASKS, "budget.pulls=1"),
    "schedule": ("schedule", *SMALL, "horizon.total=20"),
    "evaluate": ("evaluate", TRAINING),
    "export": ("export", SEARCH, "to=exported"),
    "report": ("report", SEARCH),
    "list": ("list",),
    "revisions": ("revisions", "checkpoints.models=[EleutherAI/pythia-14m]"),
    "compare": ("compare", f"base={TRAINING}@step6", "curricula=[current,two_stage]", "seeds=1", "trainer.max_steps=8"),
}  # fmt: skip
WITH_FILES = ("train", "train, with more", "search", "search, with more", "run", "schedule")
# Whose settings a run has recorded, and the commands that read them there.
RECORDED = {
    TRAINING: (
        ("train", f"resume={TRAINING}", "data.corpus.path=text", "trainer.max_steps=7"),
        ("schedule", f"resume={TRAINING}", "data.corpus.path=text"),
        ("evaluate", TRAINING),
        ("search", TRAINING, *TASKS, "budget.pulls=1"),
    ),
    SEARCH: (("report", SEARCH), ("export", SEARCH, "to=exported"), ("list",)),
}
PATIENCE, HANG = 20, 60  # seconds until a command is asked to end; of computing after which it counts as a hang


@dataclass(frozen=True)
class Try:
    """One command line, and a file that it reads."""

    words: tuple[str, ...]
    file: str = ""
    content: str = field(default="", repr=False)
    changed: str = ""


@cache
def tree(name: str) -> dict[str, Any]:
    """The composed config of a command line, `hydra` included, which is a good one."""
    command, *rest = LINES[name]
    found = commands.find(command)
    (job,) = preflight(parse(command, found.rewrite(rest), found.bare), found)
    config = OmegaConf.to_container(job.config, resolve=False)
    assert isinstance(config, dict)
    return config


@st.composite
def changes(draw: st.DrawFn, config: dict[str, Any], removes: bool) -> list[tuple[tuple[str, ...], Any]]:
    """One to three nodes of a tree with a value each; `...` removes the node."""
    every = list(nodes(config))
    found = []
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        # First the room, since that of Hydra alone has more nodes than all others.
        room = draw(st.sampled_from(sorted(config)))
        path, value = draw(st.sampled_from([one for one in every if one[0][0] == room]))
        act = draw(st.sampled_from(("replace", "replace", "replace", "sibling", "remove")))
        if act == "sibling" and (isinstance(value, dict) or len(path) == 1):
            path = (*(path if isinstance(value, dict) else ()), draw(st.sampled_from(SIBLINGS)))
        found.append((path, ... if act == "remove" and removes else draw(values())))
    return found


def placed(config: dict[str, Any], found: list[tuple[tuple[str, ...], Any]]) -> dict[str, Any]:
    """A tree with the values in their places."""
    for (*way, last), value in found:
        parent = config
        for key in way:
            if not isinstance(parent.get(key), dict):
                parent[key] = {}
            parent = parent[key]
        if value is ...:
            parent.pop(last, None)
        else:
            parent[last] = value
    return config


@st.composite
def tries(draw: st.DrawFn) -> Try:
    form = draw(st.sampled_from(("words", "words", "file", "file", "record")))
    if form == "record":
        run = draw(st.sampled_from(list(RECORDED)))
        config = yaml.safe_load(Path(run, "config.yaml").read_text())
        found = draw(changes(config, removes=True))
        text = yaml.safe_dump(placed(config, found))
        return Try(draw(st.sampled_from(RECORDED[run])), f"{run}/config.yaml", text, repr(found))
    name = draw(st.sampled_from(WITH_FILES if form == "file" else list(LINES)))
    found = draw(changes(tree(name), removes=form == "words"))
    if form == "file":
        text = "# @package _global_\n" + yaml.safe_dump(placed({}, found))
        return Try((*LINES[name], "experiments=mine"), "experiments/mine.yaml", text, repr(found))
    signs = st.sampled_from(("++", "++", "+", ""))
    given = [
        f"~{'.'.join(path)}" if value is ... else f"{draw(signs)}{'.'.join(path)}={word(value)}"
        for path, value in found
    ]
    return Try((*LINES[name], *given))


@contextmanager
def asked_to_end() -> Iterator[None]:
    """A command that works for long gets SIGTERM, as from a scheduler; one that does not heed it fails the test."""

    def ask(number: int, frame: Any) -> None:
        if callable(signal.getsignal(signal.SIGTERM)):  # the command is running
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGALRM, ask)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def look(folder: Path) -> dict[Path, tuple[int, ...]]:
    """All that lies in a folder, with what changes when it is written to."""
    return {
        path: (0,) if path.is_dir() and not path.is_symlink() else (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in folder.rglob("*")
    }


class House:
    """The working directory of the tries, a folder beside it that nobody may touch, and what both are like."""

    def __init__(self, study: Path) -> None:
        self.kept, self.top = study, study / "top"
        self.work, self.marker, self.victim = self.top / "work", self.top / "marker", self.top / "victim"
        self.victim.mkdir(parents=True)
        (self.victim / "file").write_text("kept")
        self.reset()

    def fill(self, text: str) -> str:
        return text.replace("MARKER", str(self.marker)).replace("VICTIM", str(self.victim))

    def reset(self) -> None:
        for entry in self.top.iterdir():
            if entry not in (self.work, self.victim):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.work.mkdir(exist_ok=True)
        for entry in self.work.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for name in ("runs", "text"):
            shutil.copytree(self.kept / name, self.work / name, symlinks=True)

    def attempt(self, tried: Try, capture: Any) -> None:
        """Carry out one command line, and look at its answer and at what it left. Raises AssertionError."""
        if tried.file:
            path = self.work / tried.file
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)  # it may be a second name of another one
            path.write_text(self.fill(tried.content))
        before, began = look(self.top), time.process_time()
        capture.readouterr()
        with asked_to_end():
            code = main(list(tried.words))
        seconds, (out, err) = time.process_time() - began, capture.readouterr()
        after = look(self.top)
        told = f"{tried!r}\n{code}\n{out}\n{err}"
        assert not self.marker.exists(), told
        assert seconds < HANG, told
        assert code in (0, 2, 3, 5, 143), told
        assert "Traceback" not in out + err, told
        assert CANARY not in out + err, told
        assert "\x1b[31m" not in out + err, told
        new = {path for path, was in after.items() if before.get(path) != was}
        assert not any(CANARY.encode() in path.read_bytes() for path in new if path.is_file()), told
        outside = [path for path in new if not path.is_relative_to(self.work)]
        if tried.file or code == 2:
            assert not outside, (outside, told)
        assert before.keys() <= after.keys() or code != 2, told
        if code == 2:
            lines = (
                err.splitlines()
            )  # the error comes last; before it there may be warnings, or what was done until then
            assert [line.startswith("error: ") for line in lines].index(True) == len(lines) - 1, told
            tokens = self.work / "runs" / "cache"
            left = [path for path in new if not path.is_relative_to(tokens)]
            assert not left, (left, told)


def stop(*_: Any, **__: Any) -> None:
    raise Terminated


@pytest.fixture
def house(study, tiny, monkeypatch):
    """The place of the tries; what would take long ends where it begins, as after SIGTERM."""
    monkeypatch.setattr("lightning.pytorch.Trainer.fit", stop)
    monkeypatch.setattr("tl_search.search.run.run_search", stop)
    monkeypatch.setenv("HF_TOKEN", CANARY)
    monkeypatch.setenv("HOME", str(study / "top" / "victim"))
    for name in ("SCRATCH", "WORK", "DATA", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    place = House(study)
    monkeypatch.chdir(place.work)
    return place


def test_no_value_in_any_node_of_a_config_ends_in_a_traceback_or_is_carried_out(house, capfd):
    few = settings.default.max_examples // 2  # each is a whole command line

    @settings(max_examples=few, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(tries())
    def fuzz(tried):
        try:
            house.attempt(tried, capfd)
        finally:
            house.reset()

    fuzz()
