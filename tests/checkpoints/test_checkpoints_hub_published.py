"""Families whose checkpoints are sibling repositories or commits of a branch are searched as all others are."""

import shutil

import huggingface_hub
import pytest
from checkpoints.hub_search import search_in
from probe.tiny_models import make

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.retry import UnreachableError
from tl_search.runs.digests import folder_digests
from tl_search.runs.searched_plane import SearchedPlane
from tl_search.search.prefetch import Prefetch

pytestmark = pytest.mark.slow  # whole searches and trainings, one a test

BERT, PICO = "google/multiberts-seed_0", "pico-lm/pico-decoder-tiny"
SIZE = 47_192 / 10**9  # GB of one revision


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return [make(root / str(seed), seed=seed) for seed in range(3)]


@pytest.fixture
def siblings(family_hub, models):
    for model, step in zip(models, ("0k", "20k", "2000k"), strict=True):
        shutil.copytree(model, family_hub.root / f"{BERT}-step_{step}" / "main")
    shutil.copytree(models[0], family_hub.root / f"{BERT}-uncased" / "main")  # another model, no checkpoint
    return family_hub


@pytest.fixture
def commits(family_hub, models):
    for model, step in zip(models, (0, 1000, 2000), strict=True):
        shutil.copytree(model, family_hub.root / PICO / f"commit-of-{step}")
    shutil.copytree(models[2], family_hub.root / PICO / "main")
    listed = [(f"commit-of-{step}", f"Saving HF Model -- Step {step}") for step in (2000, 1000, 0)]
    family_hub.titles = {PICO: {"pico-decoder-tiny-1": listed}}
    return family_hub


def source(name, tmp_path, **settings):
    return HubCheckpoints((name,), cache=str(tmp_path / "cache"), **{"patience": 2.0, **settings})


def test_sibling_repositories_are_the_revisions_of_one_model(siblings, models, tmp_path, caplog):
    found = source(BERT, tmp_path)
    assert [(one.name, one.step, one.tokens) for one in found.revisions()] == [
        ("step_0k", 0, 0),
        ("step_20k", 20_000, 20_000 * 131_072),
        ("step_2000k", 2_000_000, 2_000_000 * 131_072),
    ]
    assert [one.weights for one in found.revisions()] == [folder_digests(model)[0] for model in models]
    assert found.fetch(found.revisions()[1]).parts[-3] == "models--google--multiberts-seed_0-step_20k"
    assert not caplog.messages


def test_titled_commits_are_the_revisions_of_one_model(commits, models, tmp_path, caplog):
    found = source(PICO, tmp_path)
    assert [(one.name, one.step) for one in found.revisions()] == [("step0", 0), ("step1000", 1000), ("step2000", 2000)]
    assert [one.weights for one in found.revisions()] == [folder_digests(model)[0] for model in models]
    assert found.fetch(found.revisions()[1]).name == commits.branches(PICO)["commit-of-1000"]
    assert [line.split(":")[0] for line in caplog.messages] == ["pico-decoder-tiny-1"]


@pytest.mark.slow_but_one
@pytest.mark.parametrize("name", [BERT, PICO])
def test_a_search_finds_its_answer_on_such_a_family(request, name, tmp_path, tiny, monkeypatch, capsys):
    request.getfixturevalue("siblings" if name == BERT else "commits")
    code, run = search_in(tmp_path, monkeypatch, f"checkpoints.models=[{name}]", "sampling=all")
    assert code == 0, capsys.readouterr().err
    assert len(SearchedPlane.read(run).revisions) == 3
    assert (run / "report" / "index.html").is_file()


@pytest.mark.parametrize("name", [BERT, PICO])
def test_what_was_fetched_is_enough_without_a_network(request, name, tmp_path, monkeypatch):
    hub = request.getfixturevalue("siblings" if name == BERT else "commits")
    online = source(name, tmp_path)
    for revision in online.revisions()[1:]:
        online.fetch(revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    asked, offline = len(hub.asked), source(name, tmp_path)
    assert offline.revisions() == online.revisions()[1:]
    assert offline.fetch(offline.revisions()[0]) == online.fetch(online.revisions()[1])
    assert len(hub.asked) == asked


def test_a_quota_is_for_all_sibling_repositories_together(siblings, tmp_path):
    one = source(BERT, tmp_path, cache_gb=SIZE + 0.00002)
    prefetch = Prefetch.of(one)
    for revision in one.revisions():
        assert prefetch.folder(revision).is_dir()
        held = [path for path in (tmp_path / "cache").rglob("blobs/*") if path.stat().st_size > 40_000]
        assert len(held) == 1


def test_an_unreachable_sibling_ends_the_listing(siblings, tmp_path):
    siblings.faults = {"/revision/": [500] * 999}
    with pytest.raises(UnreachableError, match="multiberts-seed_0-step_"):
        source(BERT, tmp_path, patience=0.1).revisions()


def test_a_missing_checkpoint_of_a_family_is_left_out(siblings, tmp_path, caplog):
    (siblings.root / f"{BERT}-step_20k" / "main" / "model.safetensors").unlink()
    found = source(BERT, tmp_path)
    assert [one.step for one in found.revisions()] == [0, 2_000_000]
    assert [(one.name, one.step) for one in found.skipped()] == [("step_20k", 20_000)]
    assert "step_20k: left out, since in google/multiberts-seed_0-step_20k it has no weights" in caplog.text


def test_a_family_without_any_checkpoint_on_the_hub_is_one_line(siblings, tmp_path):
    with pytest.raises(
        ValueError, match="multiberts-seed_1 has no repositories with weights that are named as MultiBERTs"
    ):
        source("google/multiberts-seed_1", tmp_path).revisions()


STAGED = "HuggingFaceTB/SmolLM3-3B-checkpoints"


@pytest.fixture
def staged(family_hub, models):
    names = ("stage1-step-40000", "stage3-step-4720000", "lc-4k-to-32k-step-4000")
    for model, name in zip(models, names, strict=True):
        shutil.copytree(model, family_hub.root / STAGED / name)
    (family_hub.root / STAGED / "main").mkdir()
    (family_hub.root / STAGED / "main" / "config.json").write_text("{}")
    return family_hub


def test_listed_names_of_stages_are_found_in_any_spelling_and_left_out_where_the_hub_lacks_them(
    staged, tmp_path, tiny, monkeypatch, capsys
):
    asked = "stage1_step40000,stage2-step-3480000,lc-4k-to-32k-step-4000,lc-4k-to-32k-step-8000"
    words = (f"checkpoints.models=[{STAGED}]", "sampling=list", f"sampling.revisions=[{asked}]")
    code, run = search_in(tmp_path, monkeypatch, *words)
    assert code == 3
    plane = SearchedPlane.read(run)
    assert [one.name for one in plane.revisions] == ["stage1-step-40000", "lc-4k-to-32k-step-4000"]
    left = [line.split(":")[0] for line in plane.left_out]
    assert left == ["main", "stage2-step-3480000", "lc-4k-to-32k-step-8000"]
    assert "stage1_step40000: read as stage1-step-40000, which is how SmolLM3 writes it" in capsys.readouterr().err


def test_a_branch_main_that_is_meant_to_hold_no_checkpoint_is_not_missed(staged, tmp_path):
    found = source(STAGED, tmp_path)
    assert len(found.revisions()) == 3
    assert found.skipped() == ()


def test_a_listed_name_that_the_family_cannot_have_is_refused_before_anything_is_written(
    staged, tmp_path, monkeypatch, capsys
):
    words = (f"checkpoints.models=[{STAGED}]", "sampling=list", "sampling.revisions=[stage1-stepp-40000]")
    code, run = search_in(tmp_path, monkeypatch, *words)
    assert (code, run, staged.asked) == (2, None, [])
    told = (
        "sampling.revisions: 'stage1-stepp-40000' is no name of a checkpoint of SmolLM3; did you mean stage1-step-40000"
    )
    assert told in capsys.readouterr().err
