"""The Hub through its real client: what is searched, what is asked for, and what faults mean."""

import json
import shutil
from pathlib import Path

import pytest
from probe.tiny_models import in_shards, make

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.listing import listed
from tl_search.checkpoints.retry import UnreachableError
from tl_search.plane.revision import Revision
from tl_search.plane.sampling import Listed
from tl_search.runs.digests import folder_digests
from tl_search.search.picked import check_names
from tl_search.store.manifest import DamagedError


@pytest.fixture
def source(hub, tmp_path):
    return HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"), patience=20.0)


def model_folder(hub):
    return hub.root / "EleutherAI" / "tiny"


def in_step(hub, step):
    return sorted((model_folder(hub) / f"step{step}").glob("model-*.safetensors"))


def test_revisions_are_known_before_any_weights_are_downloaded(hub, source, published):
    revisions = source.revisions()
    assert [(revision.name, revision.step) for revision in revisions] == [
        ("step0", 0),
        ("step1", 1),
        ("step1000", 1000),
    ]
    assert not [path for path in hub.asked if path.endswith(".safetensors")]
    for revision in revisions:
        assert (revision.weights, revision.tokenizer) == folder_digests(published / revision.name)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff"])
def test_a_damaged_file_of_the_cache_is_named_and_downloaded_again_once_removed(source, content, caplog):
    before = source.revisions()
    (damaged, *_) = (path.resolve() for path in Path(source.cache).rglob("config.json"))
    kept = damaged.read_bytes()
    damaged.write_bytes(content)
    again = HubCheckpoints(source.models, cache=source.cache, patience=20.0)
    with pytest.raises(ValueError, match="has no branches with weights"):  # they share the file
        again.revisions()
    assert f"({damaged}; remove it, so that it is downloaded again)" in caplog.text
    damaged.unlink()
    assert HubCheckpoints(source.models, cache=source.cache, patience=20.0).revisions() == before
    assert damaged.read_bytes() == kept


def test_files_that_revisions_share_are_asked_for_once(hub, source):
    source.revisions()
    assert len([path for path in hub.asked if path.endswith("/tokenizer.json")]) == 2  # one HEAD, one GET


def test_fetch_brings_the_listed_files_and_no_others(hub, source):
    for name in ("pytorch_model.bin", "modeling.py", "README.md"):
        (model_folder(hub) / "step1" / name).write_bytes(b"not wanted")
    folder = source.fetch(source.revisions()[1])
    assert {file.name for file in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip


def test_a_branch_that_moves_is_still_the_commit_of_the_start(hub, source):
    first = source.revisions()[0]
    shutil.rmtree(model_folder(hub) / "step0")
    make(model_folder(hub) / "step0", seed=9)
    assert source.revisions()[0] == first  # the old commit is gone from this Hub, and nothing else is taken for it
    with pytest.raises(DamagedError, match="step0 has been removed from the Hub"):
        source.fetch(first)


@pytest.mark.slow_but_one
@pytest.mark.parametrize("faults", [[503, 502], [429], ["drop"], ["drop", 429]])
def test_passing_faults_are_waited_out(hub, source, faults):
    hub.faults = {"/refs": list(faults), "/revision/": list(faults)}
    assert len(source.revisions()) == 3


def test_a_hub_that_stays_away_is_unreachable_and_nothing_is_missing(hub, tmp_path):
    hub.faults = {"/revision/": [503] * 1000}
    with pytest.raises(UnreachableError, match=r"EleutherAI/tiny.* no answer within 1 s"):
        HubCheckpoints(("tiny",), patience=1.0, cache=str(tmp_path)).revisions()


def test_a_revision_without_weights_is_left_out_with_a_warning(hub, source, caplog):
    (model_folder(hub) / "step1" / "model.safetensors").unlink()
    assert [revision.step for revision in source.revisions()] == [0, 1000]
    assert "step1: left out" in caplog.text


def test_branches_as_other_programs_name_them_are_revisions_and_others_are_named(hub, source, caplog):
    for number, name in enumerate(("step200-tokens1B", "checkpoint-500", "best-so-far"), 5):
        make(model_folder(hub) / name, seed=number)
    found = [(revision.name, revision.step, revision.tokens) for revision in source.revisions()]
    assert found[2:4] == [("step200-tokens1B", 200, 10**9), ("checkpoint-500", 500, None)]
    assert "best-so-far: left out, since the step is read from the name, which must be like step1000" in caplog.text


def test_copies_under_other_steps_are_reported_and_searched_once(hub, source, caplog):
    shutil.copytree(model_folder(hub) / "main", model_folder(hub) / "step64")
    assert [revision.step for revision in source.revisions()] == [0, 1, 1000]
    assert "step64: left out, since the weights are those of step1000" in caplog.text


@pytest.mark.parametrize("suspects", [False, True])
def test_a_branch_with_one_shard_of_the_final_model_is_named_and_kept_only_on_request(hub, tmp_path, caplog, suspects):
    for number, step in enumerate((0, 1, 200, 500, 700, 1000)):
        shutil.rmtree(model_folder(hub) / f"step{step}", ignore_errors=True)
        in_shards(make(model_folder(hub) / f"step{step}", seed=number))
    shutil.rmtree(model_folder(hub) / "main")
    first = in_step(hub, 1000)[0]
    shutil.copy(first, model_folder(hub) / "step500" / first.name)
    source = HubCheckpoints(("tiny",), cache=str(tmp_path / "cache"), suspects=suspects)
    assert [revision.step for revision in source.revisions()] == [0, 1, 200, *[500] * suspects, 700, 1000]
    told = "step500: kept, though part" if suspects else "step500: left out, since part"
    assert f"{told} of the weights is that of step1000, but not in the steps between" in caplog.text
    assert not [path for path in hub.asked if path.endswith(".safetensors")]


def test_a_config_that_differs_only_in_its_writer_is_the_same_model(hub, source):
    config = model_folder(hub) / "main" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "transformers_version": "4.0.0"}))
    assert [revision.name for revision in source.revisions()] == ["step0", "step1", "step1000"]


def test_wrong_bytes_are_never_handed_out(hub, source, tmp_path):
    revision = source.revisions()[0]
    source.fetch(revision)
    for blob in (tmp_path / "cache").rglob("blobs/*"):
        if blob.stat().st_size > 20_000:
            blob.write_bytes(b"<html>")
    assert folder_digests(source.fetch(revision)) == (revision.weights, revision.tokenizer)


@pytest.mark.parametrize("name", ["tinny", "EleutherAI/other"])
def test_a_model_that_is_not_there_is_named(hub, name):
    with pytest.raises(ValueError, match=f"models: EleutherAI/{name.split('/')[-1]} is not on the Hub"):
        HubCheckpoints((name,)).revisions()


def test_a_model_that_is_nearly_one_of_the_registry_gets_a_hint(hub):
    for name, meant in (("pythia-411m", "EleutherAI/pythia-410m"), ("google/pythia-70m", "EleutherAI/pythia-70m")):
        with pytest.raises(ValueError, match=rf"is not on the Hub, or private \(HF_TOKEN\); did you mean {meant}\?$"):
            HubCheckpoints((name,)).revisions()


def test_a_gated_model_says_how_to_get_in(hub, source):
    hub.gated.add("EleutherAI/tiny")
    with pytest.raises(ValueError, match="is gated; accept its terms and set HF_TOKEN"):
        source.revisions()


def test_offline_is_said_at_once(source, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE"):
        source.revisions()


def test_a_revision_that_was_not_listed_is_refused(source):
    with pytest.raises(ValueError, match="step7"):
        source.fetch(Revision("step7", 7))


TRICKS = ("../x", "/etc/passwd", "a\0b", "x" * 300, "..", "a/../../b", "", " ", "ä")


@pytest.mark.parametrize("name", TRICKS)
@pytest.mark.parametrize("model", ["EleutherAI/pythia-70m", "HuggingFaceTB/SmolLM3-3B-checkpoints"])
def test_a_listed_name_with_a_trick_is_refused_without_asking(hub, model, name):
    with pytest.raises(ValueError, match=r"^sampling\.revisions: .* is no name of a checkpoint of .* \(its names: "):
        check_names(HubCheckpoints((model,)), Listed((name,)))
    assert not hub.asked


def test_names_on_the_hub_that_could_be_no_file_or_no_number_are_left_out(hub, source, tmp_path, caplog):
    """The server may name anything; what it names becomes the name of files, and its numbers are written to files."""
    real, names = hub.branches, ("../../step5", "step" + "9" * 90, "step" + "9" * 200, "step5\0", "step1/../../x")
    hub.branches = lambda name: {**real(name), **dict.fromkeys(names, "1" * 40)}
    assert [revision.step for revision in source.revisions()] == [0, 1, 1000]
    assert all(name in caplog.text for name in names[:2])
    assert not [path for path in hub.asked if "1" * 40 in path]
    found = listed(source.access, "EleutherAI/tiny")
    assert set(found.others) == set(names)
    assert {path.name for path in tmp_path.iterdir()} <= {"served", "cache"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ()}, "models: must be at least one"),
        ({"models": ("a", "../../x")}, "models: must be named like"),
        ({"family": "pythias"}, "family: there is no family 'pythias' .*did you mean pythia"),
        ({"models": ("../../x",)}, "models: must be named like"),
        ({"models": ("a/b/../c",)}, "models: must be named like"),
        ({"models": ("a/b/c",)}, "models: must be named like"),
        ({"models": ("-x",)}, "models: must be named like"),
        *(({"models": (name,)}, "models: must be named like") for name in TRICKS),
        *(({"organisation": name}, "organisation: must be a name like EleutherAI, got ") for name in TRICKS),
        *(({"family": name}, "family: there is no family ") for name in TRICKS),
        ({"patience": float("nan")}, "patience: must be"),
    ],
)
def test_bad_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        HubCheckpoints(**options)


def test_a_search_takes_one_model():
    for source in (HubCheckpoints(("a", "b")), HubCheckpoints(family="pythia")):
        with pytest.raises(ValueError, match=r"only one (model )?is searched at a time"):
            source.revisions()


def test_the_branches_of_a_family_have_the_steps_and_tokens_that_it_gives_them(hub, tmp_path, caplog):
    model = "HuggingFaceTB/SmolLM3-3B-checkpoints"
    for number, name in enumerate(("stage1-step-40000", "stage3-step-4720000", "lc-4k-to-32k-step-4000", "it-SFT")):
        make(hub.root / model / name, seed=number)
    source = HubCheckpoints((model,), cache=str(tmp_path / "cache"))
    assert [(revision.name, revision.step, revision.tokens) for revision in source.revisions()] == [
        ("stage1-step-40000", 40_000, 40_000 * 2_359_296),
        ("stage3-step-4720000", 4_720_000, 4_720_000 * 2_359_296),
        ("lc-4k-to-32k-step-4000", 4_724_000, 4_000 * 2_359_296),
    ]
    assert "it-SFT: left out, since the step is read from the name, which must be that of a checkpoint of SmolLM3" in (
        caplog.text
    )


def test_a_family_is_all_its_models():
    assert HubCheckpoints(family="multiberts").repositories == tuple(f"google/multiberts-seed_{n}" for n in range(5))
    assert len(HubCheckpoints(family="pythia").repositories) == 18
