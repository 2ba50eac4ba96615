"""Revisions are fetched once, and the likely next one while another is worked on."""

import threading
from pathlib import Path
from typing import ClassVar

import pytest

from tl_search.bandits.exhaustive import Exhaustive
from tl_search.checkpoints.folder import FolderCheckpoints
from tl_search.plane.revision import Revision
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.search.prefetch import Prefetch
from tl_search.search.run import run_search


def revision(step: int) -> Revision:
    return Revision(f"step{step}", step)


class Source:
    """Counts what is fetched; a fetch ends when it is let go."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.go = threading.Event()
        self.broken: list[Exception] = []

    def fetch(self, wanted: Revision) -> Path:
        self.fetched.append(wanted.name)
        assert self.go.wait(10)
        if self.broken:
            raise self.broken.pop()
        return Path(wanted.name)


def test_a_revision_is_fetched_once_whether_expected_or_not():
    source = Source()
    source.go.set()
    prefetch = Prefetch(source.fetch)
    prefetch.expect(revision(1))
    assert [prefetch.folder(revision(step)) for step in (1, 2, 1)] == [Path("step1"), Path("step2"), Path("step1")]
    prefetch.expect(revision(2))
    assert source.fetched == ["step1", "step2"]


def test_expecting_does_not_wait_and_a_second_guess_does_not_pile_up():
    source = Source()
    prefetch = Prefetch(source.fetch)
    prefetch.expect(revision(1))
    prefetch.expect(revision(2))  # the first is still under way
    assert source.fetched == ["step1"]
    source.go.set()
    assert prefetch.folder(revision(1)) == Path("step1")


def test_what_was_not_guessed_does_not_wait_for_the_guess():
    source = Source()

    def fetch(wanted: Revision) -> Path:
        return Path(wanted.name) if wanted.step == 2 else source.fetch(wanted)

    prefetch = Prefetch(fetch)
    prefetch.expect(revision(1))
    assert prefetch.folder(revision(2)) == Path("step2")
    source.go.set()


def test_a_guess_that_failed_is_tried_again_when_it_is_needed_and_only_then_told():
    source = Source()
    source.go.set()
    source.broken = [ValueError("step1: damaged"), ValueError("step1: the network is away")]
    prefetch = Prefetch(source.fetch)
    prefetch.expect(revision(1))
    with pytest.raises(ValueError, match="damaged"):
        prefetch.folder(revision(1))
    assert prefetch.folder(revision(1)) == Path("step1")
    assert source.fetched == ["step1"] * 3


class Watched(FolderCheckpoints):
    """Notes which thread fetched what."""

    fetched: ClassVar[list[tuple[str, str]]] = []

    def fetch(self, revision: Revision) -> Path:
        self.fetched.append((revision.name, threading.current_thread().name))
        return super().fetch(revision)


@pytest.mark.slow
def test_a_search_fetches_ahead_and_nothing_twice_or_again_when_all_is_known(plan, models, tmp_path):
    Watched.fetched.clear()
    watched = plan(checkpoints=Watched(str(models)), bandit=Exhaustive())
    run_search(watched, tmp_path / "run")
    names = [name for name, _ in Watched.fetched]
    assert sorted(names) == ["step0", "step16", "step4", "step64"]
    assert [name for name, thread in Watched.fetched if thread != "fetching"] == ["step64"]  # the final column is first
    run_search(watched, tmp_path / "again")
    assert [name for name, _ in Watched.fetched] == names


def test_measuring_alone_fetches_ahead_what_is_not_measured_yet(plan, models, tmp_path):
    Watched.fetched.clear()
    few = MetricsConfig(Columns.all, only=True, corpus_max_examples_per_task=4, measures={"rankme": {}})
    run_search(plan(checkpoints=Watched(str(models)), metrics=few), tmp_path / "run")
    ahead = [("step4", "fetching"), ("step16", "fetching"), ("step64", "fetching")]
    assert Watched.fetched[1:] == ahead
    assert Watched.fetched[0] == ("step0", threading.current_thread().name)
    (tmp_path / "run/DONE.json").unlink()
    for name in ("step4", "step64"):
        next((tmp_path / "run/cache/metrics").glob(f"*/{name}/layer_001.json")).unlink()
    Watched.fetched.clear()
    run_search(plan(checkpoints=Watched(str(models)), metrics=few), tmp_path / "run")
    assert Watched.fetched == [("step4", threading.current_thread().name), ("step64", "fetching")]
