"""The Hub's cache: its own layout, shared by processes, within a quota, and enough without a network."""

import multiprocessing
import shutil
from concurrent.futures import ThreadPoolExecutor

import huggingface_hub
import pytest
import torch
import transformers
from probe.tiny_models import make
from safetensors.torch import load_file

from tl_search.checkpoints.cache import HubCache
from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.cli.main import main
from tl_search.runs.digests import folder_digests
from tl_search.search.prefetch import Prefetch
from tl_search.store.atomic import read_json

WEIGHTS = 47_192 / 10**9  # GB of one revision of the published model


@pytest.fixture
def published_to(hub, tmp_path):
    """The published model as a worker sees it, with a cache that workers share."""

    def source(**settings):
        return HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"), **{"patience": 5.0, **settings})

    return source


def step(hub, number):
    return hub.root / "EleutherAI" / "tiny" / f"step{number}"


def here(source):
    """The revisions whose weights are in the cache."""
    cache = huggingface_hub.scan_cache_dir(source.cache)
    assert not cache.warnings
    commits = {commit: name for name, commit in source._hub.commits().items()}
    (repo,) = cache.repos
    return sorted(
        commits[revision.commit_hash]
        for revision in repo.revisions
        if any(file.file_name == "model.safetensors" for file in revision.files)
    )


def weights_asked_for(hub):
    return [file for file, _ in hub.downloads if file.endswith((".safetensors", ".bin"))]


def test_workers_that_want_the_same_weights_download_them_once(hub, published_to):
    workers = [published_to() for _ in range(4)]
    revision = workers[0].revisions()[0]
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda worker: worker.fetch(revision), workers))
    assert len(folders) == 1
    assert weights_asked_for(hub) == ["step0/model.safetensors"]


def test_what_another_program_downloaded_is_not_downloaded_again(hub, published_to):
    api = huggingface_hub.HfApi(hub.url)
    api.snapshot_download("EleutherAI/tiny", revision="step0", cache_dir=published_to().cache)
    asked = len(weights_asked_for(hub))
    published_to().fetch(published_to().revisions()[0])
    assert len(weights_asked_for(hub)) == asked == 1


def test_what_was_fetched_is_found_by_other_programs_and_without_a_network(hub, published_to, monkeypatch):
    online = published_to()
    revisions, shape = online.revisions(), online.shape()
    for revision in revisions[:2]:
        online.fetch(revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    broken = published_to()._hub.cache.snapshot("0" * 40)
    shutil.copytree(online._hub.cache.snapshot(online._hub.cache.named["step0"]), broken)
    (broken / "config.json").unlink()
    (broken / "config.json").write_text("[1]")
    (broken.parents[1] / "refs" / "step5").write_text("0" * 40)
    asked = len(hub.asked)
    model = transformers.AutoModel.from_pretrained("EleutherAI/tiny", revision="step1", cache_dir=online.cache)
    assert model.config.num_hidden_layers == 3
    offline = published_to()
    assert offline.revisions() == revisions[:2]
    assert folder_digests(offline.fetch(revisions[1])) == (revisions[1].weights, revisions[1].tokenizer)
    assert offline.shape() == shape
    assert len(hub.asked) == asked


def test_without_a_network_the_list_is_that_of_the_cache_and_says_so(hub, published_to, monkeypatch, tmp_path, capsys):
    online = published_to()
    for revision in online.revisions()[1:]:
        online.fetch(revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    asked, here = len(hub.asked), tmp_path / "cache"
    words = ("revisions", "checkpoints.models=[tiny]", f"checkpoints.cache={here}", "sampling=all")
    assert main([*words, "available=true", "output=there.json"]) == 0
    out = capsys.readouterr().out
    assert "EleutherAI/tiny: 2 of 2 revisions: step1, step1000\n" in out
    assert f"offline, with weights in the cache {here}: 2 checkpoints, 2 of them on one time axis" in out
    told = read_json(tmp_path / "there.json")["models"]["EleutherAI/tiny"]
    assert told["offline_cache"] == str(here)
    assert set(told["available"]) == {"step1", "step1000"}
    assert main(["revisions", "checkpoints.models=[pythia-14m]", f"checkpoints.cache={here}", "available=true"]) == 2
    assert "EleutherAI/pythia-14m: its branches: cannot be requested while HF_HUB_OFFLINE is set" in (
        capsys.readouterr().err
    )
    assert len(hub.asked) == asked


@pytest.mark.slow_but_one
@pytest.mark.parametrize("room", [1, 2])
def test_the_weights_in_the_cache_stay_within_the_quota(hub, published_to, room):
    for number in (7, 8):
        make(step(hub, number), seed=number)
    source = published_to(cache_gb=room * WEIGHTS + 0.00002)
    prefetch = Prefetch.of(source)
    for revision in source.revisions():
        folder = prefetch.folder(revision)
        assert folder_digests(folder) == (revision.weights, revision.tokenizer)
        assert revision.name in here(source)
        assert len(here(source)) <= room
    first = source.revisions()[0]  # used before, and evicted since
    assert folder_digests(prefetch.folder(first)) == (first.weights, first.tokenizer)


def test_what_is_in_use_stays_and_of_the_rest_what_was_used_last_and_the_final_revision(hub, published_to):
    for number in (7, 8, 9):
        make(step(hub, number), seed=number)
    source = published_to(cache_gb=3 * WEIGHTS + 0.00002, patience=0.1)
    steps = {revision.name: revision for revision in source.revisions()}
    worker, other = Prefetch.of(source), Prefetch.of(published_to())
    other.folder(steps["step1"])  # another worker goes on with it
    worker.folder(steps["step1000"])
    worker.folder(steps["step7"])
    worker.folder(steps["step8"])
    assert here(source) == ["step1", "step1000", "step8"]
    worker.folder(steps["step9"])
    assert here(source) == ["step1", "step1000", "step9"]


def hold(cache, commit, ready, done):
    held = HubCache(cache, "EleutherAI/tiny")
    assert held.use(commit)
    ready.set()
    done.wait(30)


def test_nothing_is_evicted_that_another_process_uses(hub, published_to):
    fork = multiprocessing.get_context("fork")
    ready, done = fork.Event(), fork.Event()
    source = published_to(cache_gb=WEIGHTS + 0.00002, patience=0.1)
    folder = source.fetch(source.revisions()[0])
    holder = fork.Process(target=hold, args=(source.cache, folder.name, ready, done))
    holder.start()
    assert ready.wait(30)
    worker, second = Prefetch.of(source), source.revisions()[1]
    with pytest.raises(OSError, match=r"checkpoints\.cache_gb=.* is taken by revisions that are in use"):
        worker.folder(second)
    assert here(source) == ["step0"]
    done.set()
    holder.join(30)
    worker.folder(second)
    assert here(source) == ["step1"]


def test_a_quota_below_one_revision_is_refused_before_anything_is_downloaded(hub, published_to):
    with pytest.raises(ValueError, match=r"cache_gb: must be at least 4.72e-05, the size of \w+, got 1e-05"):
        published_to(cache_gb=0.00001).revisions()
    assert not weights_asked_for(hub)


def test_pickles_are_read_if_there_is_nothing_else_and_that_is_told(hub, published_to, caplog):
    weights = step(hub, 1) / "model.safetensors"
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    (step(hub, 0) / "pytorch_model.bin").write_bytes(b"never wanted")
    (step(hub, 0) / "pytorch_model.bin.index.json").write_bytes(b"never wanted")
    weights.unlink()
    source = published_to()
    for revision in source.revisions()[:2]:
        source.fetch(revision)
    assert weights_asked_for(hub) == ["step0/model.safetensors", "step1/pytorch_model.bin"]
    assert not [file for file, _ in hub.downloads if file.endswith("index.json")]
    assert "only tensors are read from its .bin files (weights_only): step1" in caplog.text
    with pytest.raises(ValueError, match=r"^checkpoints.allow_pickle: must be true .* \(in step1\)"):
        published_to(allow_pickle=False).revisions()


def test_a_tree_of_many_pages_is_read_to_its_end(hub):
    hub.page = 1
    tree = huggingface_hub.HfApi(hub.url).list_repo_tree("EleutherAI/tiny", revision="step0")
    assert {entry.path for entry in tree} == {file.name for file in step(hub, 0).iterdir()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cache_gb": 0.0}, "cache_gb: must be a finite number > 0, got 0"),
        ({"cache_gb": float("nan")}, "cache_gb: must be"),
        ({"silence": 121.0}, "silence: must be > 0 and at most 120, got 121"),
        ({"silence": 0.0}, "silence: must be"),
        ({"file_timeout": float("inf")}, "file_timeout: must be"),
    ],
)
def test_bad_limits_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        HubCheckpoints(**settings)


def test_a_copy_of_the_cache_is_not_made(hub, published_to):
    source = published_to()
    shutil.copytree(step(hub, 0), step(hub, 5))  # the same weights under another name
    for revision in source.revisions():
        source.fetch(revision)
    blobs = [path for path in (source._hub.cache.folder / "blobs").iterdir() if path.stat().st_size > 40_000]
    assert len(blobs) == len(source.revisions()) == 3
