"""What a Hub can do wrong: one line, the right exit code, and never a wait without end."""

import shutil
import time
from dataclasses import replace

import pytest
from probe.tiny_models import in_shards, make

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.retry import UnreachableError
from tl_search.cli.main import main
from tl_search.errors.kinds import BadInput
from tl_search.runs.digests import folder_digests
from tl_search.store.manifest import DamagedError

AGAIN, FOR_A_PERSON = 75, 2


@pytest.fixture
def search(hub, tmp_path, monkeypatch, capsys):
    """A search of the published model by a client of little patience: its exit code and its last line."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def run(*words: str) -> tuple[int, str]:
        began = time.monotonic()
        code = main(
            [
                *("search", "checkpoints=hub", "checkpoints.models=[tiny]", f"checkpoints.cache={tmp_path / 'cache'}"),
                *("checkpoints.patience=0.1", "checkpoints.silence=4", "checkpoints.file_timeout=2"),
                *("tasks=stdlib_quick", *words),
            ]
        )
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert time.monotonic() - began < 10
        return code, err.splitlines()[-1] if err else ""

    return run


@pytest.fixture
def source(hub, tmp_path):
    """The published model, its revisions listed; what is asked for next may fail."""
    cache = str(tmp_path / "cache")
    source = HubCheckpoints(("tiny",), cache=cache, patience=0.1, silence=4, file_timeout=2)
    source.revisions()
    return source


def step(hub, number):
    return hub.root / "EleutherAI" / "tiny" / f"step{number}"


def commit_of(hub, folder):
    return hub.branches("EleutherAI/tiny")[folder.name]


def short(seconds_of):
    """Whether it took far less time than the client by itself would take."""
    return time.monotonic() - seconds_of < 8


@pytest.mark.slow_but_one
@pytest.mark.parametrize(
    ("fault", "code", "line"),
    [
        (401, FOR_A_PERSON, "is HF_TOKEN set, and valid?"),
        (403, FOR_A_PERSON, "the Hub forbids it (403)"),
        ("gated", FOR_A_PERSON, "ask for access at http://127.0.0.1"),
        (404, FOR_A_PERSON, "EleutherAI/tiny is not on the Hub, or private"),
        ("page", FOR_A_PERSON, "the answer is not that of a Hub"),
        ("other", FOR_A_PERSON, "the answer is not that of a Hub"),
        (429, AGAIN, "no answer within 0.1 s (HTTP 429)"),
        (500, AGAIN, "no answer within 0.1 s (HTTP 500)"),
        ("drop", AGAIN, "no answer within 0.1 s"),
        ("reset", AGAIN, "no answer within 0.1 s"),
        ("stall", AGAIN, "no answer within 0.1 s"),
    ],
)
def test_a_fault_at_the_listing_is_one_line(search, hub, fault, code, line):
    hub.faults, hub.retry_after = {"/refs": [fault] * 99}, "3600"
    found, told = search()
    assert (found, line in told) == (code, True), told
    assert told.startswith("error: ")


@pytest.mark.slow
def test_a_silent_hub_ends_the_command_whatever_the_patience(search, hub):
    hub.faults = {"/refs": ["stall"] * 99}
    assert search("checkpoints.patience=300", "checkpoints.silence=0.5") == (
        AGAIN,
        "error: EleutherAI/tiny: its branches: nothing came for 0.5 s; the same command may succeed later",
    )


@pytest.mark.parametrize(
    ("fault", "code"), [(401, 2), (403, 2), ("gated", 2), ("page", 2), (429, 75), ("reset", 75), ("stall", 75)]
)
@pytest.mark.parametrize("request_for", ["/revision/", "HEAD /", "GET /EleutherAI/tiny/resolve/"])
@pytest.mark.slow_but_every(3)
def test_a_fault_of_a_description_or_a_small_file_ends_the_listing(hub, tmp_path, request_for, fault, code):
    hub.faults = {request_for: [fault] * 99}
    began = time.monotonic()
    with pytest.raises(ValueError if code == FOR_A_PERSON else UnreachableError, match="EleutherAI/tiny"):
        HubCheckpoints(("tiny",), cache=str(tmp_path), patience=0.1, silence=2, file_timeout=2).revisions()
    assert short(began)


@pytest.mark.parametrize("fault", [401, 403, "gated", "page"])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_refusal_of_weights_ends_the_search_instead_of_failing_one_revision_after_another(hub, source, method, fault):
    hub.faults = {f"{method} /EleutherAI/tiny/resolve/": [fault] * 99}
    with pytest.raises(BadInput, match="EleutherAI/tiny"):
        source.fetch(source.revisions()[0])


@pytest.mark.parametrize("fault", [404, "removed"])
def test_weights_that_are_listed_but_gone_fail_their_revision_alone(hub, source, fault):
    hub.faults = {"model.safetensors": [fault] * 99}
    with pytest.raises(DamagedError, match=r"model\.safetensors of step0"):
        source.fetch(source.revisions()[0])


@pytest.mark.parametrize("fault", [429, 500, "drop", "reset", "stall", "stall half", "slow", "short", "cut"])
def test_weights_that_do_not_come_in_time_are_asked_for_again_later(hub, source, fault, tmp_path):
    hub.faults = {"GET /EleutherAI/tiny/resolve/": [fault] * 999}
    impatient = replace(source, silence=0.5, file_timeout=1)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"model\.safetensors of step0"):
        impatient.fetch(impatient.revisions()[0])
    assert short(began)
    size = (step(hub, 0) / "model.safetensors").stat().st_size
    assert all(0 < part.stat().st_size < size for part in tmp_path.rglob("*.incomplete"))  # for the next time


@pytest.mark.slow_but_one
@pytest.mark.parametrize("fault", ["cut", "stall half"])
def test_a_broken_download_goes_on_where_it_stopped(hub, tmp_path, monkeypatch, fault):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)  # what is written at once, else 10 MB
    source = HubCheckpoints(("tiny",), cache=str(tmp_path), patience=9, silence=4)
    revision = source.revisions()[0]
    hub.faults = {"GET /EleutherAI/tiny/resolve/": [fault]}
    assert folder_digests(source.fetch(revision)) == (revision.weights, revision.tokenizer)
    (whole, rest) = [wanted for file, wanted in hub.downloads if file == "step0/model.safetensors"]
    half = (step(hub, 0) / "model.safetensors").stat().st_size // 2
    assert (whole, rest) == ("", f"bytes={half - half % 1000}-")


@pytest.mark.parametrize("fault", [429, 500, "reset", "short", "corrupt"])
def test_a_fault_of_weights_that_passes_is_waited_out(hub, tmp_path, fault):
    source = HubCheckpoints(("tiny",), cache=str(tmp_path), patience=9)
    revision = source.revisions()[0]
    hub.faults = {"GET /EleutherAI/tiny/resolve/": [fault]}
    assert folder_digests(source.fetch(revision)) == (revision.weights, revision.tokenizer)


def test_weights_that_stay_corrupt_fail_their_revision_alone(hub, source):
    hub.faults = {"GET /EleutherAI/tiny/resolve/": ["corrupt"] * 99}
    with pytest.raises(DamagedError, match="step0 is not what the Hub lists, though it was downloaded twice"):
        source.fetch(source.revisions()[0])


def test_a_wait_that_the_hub_asks_for_is_kept(hub, tmp_path):
    hub.faults, hub.retry_after = {"/refs": [429]}, "1"
    began = time.monotonic()
    HubCheckpoints(("tiny",), cache=str(tmp_path), patience=9).revisions()
    assert time.monotonic() - began >= 1


GONE = ("no longer has it", lambda folder, hub: hub.faults.update({commit_of(hub, folder): [404]}))
NO_WEIGHTS = ("has no weights", lambda folder, hub: (folder / "model.safetensors").unlink())
NO_CONFIG = ("has no weights", lambda folder, hub: (folder / "config.json").unlink())
NO_JSON = ("its config.json is not JSON", lambda folder, hub: (folder / "config.json").write_text("<html>"))
A_LIST = ("its config.json holds no settings", lambda folder, hub: (folder / "config.json").write_text("[1]"))


def a_shard_is_missing(folder, hub):
    in_shards(folder)
    sorted(folder.glob("model-*.safetensors"))[1].unlink()


GAP = ("lacks weights", a_shard_is_missing)


@pytest.mark.parametrize(("why", "spoil"), [GONE, NO_WEIGHTS, NO_CONFIG, NO_JSON, A_LIST, GAP])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.slow_but_every(3)
def test_a_revision_that_cannot_be_read_is_left_out_or_refused(hub, tmp_path, caplog, why, spoil, strict):
    spoil(make(step(hub, 7), seed=7), hub)
    source = HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"), strict_revisions=strict)
    if strict:
        with pytest.raises(
            ValueError, match=rf"^checkpoints.strict_revisions: must be false to go on without step\d+; .*{why}"
        ):
            source.revisions()
    else:
        assert [revision.name for revision in source.revisions()] == ["step0", "step1", "step1000"]
        assert caplog.text.count("step7: left out, since") == caplog.text.count(why) == 1


def test_nothing_but_main_is_no_training_unless_that_is_wanted(hub, tmp_path, search):
    for number in (0, 1, 1000):
        (step(hub, number) / "model.safetensors").unlink()
    code, told = search()
    assert (code, "nothing but main can be read" in told) == (FOR_A_PERSON, True), told
    alone = HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"), only_main=True)
    assert [revision.name for revision in alone.revisions()] == ["main"]


def test_strictly_read_weights_that_are_gone_end_the_search(hub, tmp_path):
    source = HubCheckpoints(("tiny",), cache=str(tmp_path), strict_revisions=True)
    first = source.revisions()[0]
    hub.faults = {"model.safetensors": ["removed"]}
    with pytest.raises(BadInput, match="strict_revisions"):
        source.fetch(first)


def test_one_unreachable_revision_ends_the_listing_of_all(hub, tmp_path):
    for number in range(2, 40):
        shutil.copytree(step(hub, 0), step(hub, number))
    hub.faults = {"/revision/": [500] * 9999}
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        HubCheckpoints(("tiny",), cache=str(tmp_path), patience=1).revisions()
    assert time.monotonic() - began < 3


def test_a_commit_that_would_leave_the_cache_is_refused(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "branches", lambda name: {"step1": "../../../x", "step2": "0" * 40})
    with pytest.raises(ValueError, match=r"the commit of step1 is '../../../x', so this is no Hub"):
        HubCheckpoints(("tiny",), cache=str(tmp_path / "cache")).revisions()
    assert not (tmp_path / "cache").exists()
