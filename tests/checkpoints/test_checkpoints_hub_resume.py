"""A download that was cut off, also by a kill, goes on where it stopped, and whole files are not fetched again."""

import multiprocessing
import os
import signal
import time

import pytest
from probe.tiny_models import in_shards

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.retry import UnreachableError
from tl_search.runs.digests import folder_digests

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

PIECE = 1000  # bytes that are written at once, else 10 MB


@pytest.fixture
def source(hub, tmp_path, monkeypatch):
    """The published model, step0 of which is in shards; its revisions are listed."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", PIECE)
    in_shards(hub.root / "EleutherAI" / "tiny" / "step0")
    source = HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"), patience=0.1, silence=2)
    source.revisions()
    return source


def parts(source):
    return {part: part.stat().st_size for part in source._hub.cache.folder.rglob("*.incomplete")}


def shards(hub):
    return sorted(path for path in (hub.root / "EleutherAI" / "tiny" / "step0").glob("*.safetensors"))


def fetch(source):
    source.fetch(source.revisions()[0])


def killed(hub, source):
    """A process is killed while it downloads the second shard."""
    hub.faults = {f"GET /EleutherAI/tiny/resolve/{hub.branches('EleutherAI/tiny')['step0']}/{shards(hub)[1].name}":
                  ["stall half"]}  # fmt: skip
    process = multiprocessing.get_context("fork").Process(target=fetch, args=(source,))
    process.start()
    until = time.monotonic() + 20
    while not any(size >= PIECE for size in parts(source).values()) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)


def test_after_a_kill_the_rest_of_the_file_is_asked_for_and_nothing_that_was_whole(hub, source):
    killed(hub, source)
    ((part, size),) = parts(source).items()
    hub.downloads.clear()
    revision = source.revisions()[0]
    assert folder_digests(source.fetch(revision)) == (revision.weights, revision.tokenizer)
    asked = dict(hub.downloads)
    assert list(asked) == [f"step0/{shard.name}" for shard in shards(hub)[1:]]
    assert asked[f"step0/{shards(hub)[1].name}"] == f"bytes={size}-"
    assert not part.exists()


def test_a_download_that_is_given_up_goes_on_with_the_next_command(hub, source):
    first = shards(hub)[0]
    hub.faults = {f"GET /EleutherAI/tiny/resolve/{hub.branches('EleutherAI/tiny')['step0']}/{first.name}":
                  ["cut", *["drop"] * 99]}  # fmt: skip
    with pytest.raises(UnreachableError):
        fetch(HubCheckpoints(source.models, cache=source.cache, patience=0.1, silence=0.5))
    ((_, size),) = parts(source).items()
    hub.faults = {}
    hub.downloads.clear()
    fetch(HubCheckpoints(source.models, cache=source.cache, patience=0.1, silence=2))
    assert hub.downloads[0] == (f"step0/{first.name}", f"bytes={size}-")


def test_a_part_that_belongs_to_other_bytes_is_noticed_and_fetched_again(hub, source):
    killed(hub, source)
    (part,) = parts(source)
    part.write_bytes(b"x" * 1500)
    revision = source.revisions()[0]
    assert folder_digests(source.fetch(revision)) == (revision.weights, revision.tokenizer)


def test_a_part_that_is_longer_than_the_file_begins_anew(hub, source):
    killed(hub, source)
    (part,) = parts(source)
    part.write_bytes(b"x" * 10**6)
    hub.downloads.clear()
    fetch(source)
    assert hub.downloads[0][1] == ""


@pytest.mark.slow
def test_a_quota_counts_a_part_and_removes_those_that_nobody_needs(hub, source, tmp_path):
    killed(hub, source)
    (part,) = parts(source)
    other = part.with_name(f"{'0' * 64}.incomplete")
    other.write_bytes(b"x" * 30_000)
    tight = HubCheckpoints(source.models, cache=source.cache, patience=0.1, cache_gb=60_000 / 10**9)
    fetch(tight)
    assert not other.exists()
    assert not parts(source)
