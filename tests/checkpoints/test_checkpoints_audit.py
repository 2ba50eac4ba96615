"""`tl revisions` asks the Hub: what exists, what lacks, and what is wrong with it, through the real client."""

import json
import shutil
import time

import pytest

from tl_search.checkpoints import registry
from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.checkpoints.listing import listed
from tl_search.cli.main import main

PYTHIA = "EleutherAI/pythia-14m"
SPARSE = (1000, 2000, 5000, 10000, 20000, 40000, 80000, 143000)


@pytest.fixture
def hub(family_hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return family_hub


def serve(hub, repository, name, weights="own", shards=0, layers=6):
    """A checkpoint without a model in it: an audit looks at hashes. `weights` are equal where the word is."""
    folder = hub.root / repository / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"num_hidden_layers": layers}))
    words = weights if isinstance(weights, tuple) else (weights,)
    for number, word in enumerate(words, 1):
        part = f"-{number:05}-of-{shards or len(words):05}" if len(words) > 1 or shards else ""
        (folder / f"model{part}.safetensors").write_bytes((word if word != "own" else name).ljust(100).encode())
    return folder


@pytest.fixture
def pythia(hub):
    for step in (0, *SPARSE):
        serve(hub, PYTHIA, f"step{step}")
    shutil.copytree(hub.root / PYTHIA / "step143000", hub.root / PYTHIA / "main")
    return hub


def revisions(capsys, *words):
    capsys.readouterr()
    code = main(["revisions", "checkpoints.models=[pythia-14m]", "checkpoints.cache=downloads", *words])
    out, err = capsys.readouterr()
    return code, out, err


def findings(capsys, *words):
    """Revision → what an audit says of it."""
    code, _, err = revisions(capsys, "audit=true", "output=audit.json", "format=list", *words)
    with open("audit.json") as file:
        found = json.load(file)["models"][PYTHIA]["audit"]
    assert code == (3 if found else 0), err
    return {finding["revision"]: finding["what"] for finding in found}


def test_it_says_what_is_there_and_what_the_sampling_asks_for_and_lacks(pythia, capsys):
    shutil.rmtree(pythia.root / PYTHIA / "step5000")
    serve(pythia, PYTHIA, "best-so-far")
    code, out, err = revisions(capsys, "available=true", "output=there.json")
    assert (code, err) == (3, "written to there.json\n")
    assert "8 of 8 revisions: step0, step1000" not in out
    assert "on the Hub: 9 checkpoints, 8 of them on one time axis" in out
    assert "the Hub lacks, though the sampling asks for them: step5000\n" in out
    assert "other branches and tags: best-so-far\n" in out
    with open("there.json") as file:
        told = json.load(file)["models"][PYTHIA]
    assert (told["family"], told["sampled_but_lacking"], told["other_names"]) == (
        "pythia",
        ["step5000"],
        ["best-so-far"],
    )
    assert len(told["known_but_lacking"]) == 154 - 8
    assert told["available"]["step0"] == {"repository": PYTHIA, "commit": pythia.branches(PYTHIA)["step0"]}
    assert not [path for path in pythia.asked if "resolve" in path]


def test_where_all_is_there_the_list_is_clean_and_the_code_is_0(pythia, capsys):
    code, out, err = revisions(capsys, "available=true", "format=list")
    assert (code, out.splitlines()) == (0, [f"step{step}" for step in SPARSE])
    assert "on the Hub: 10 checkpoints" in err


@pytest.mark.parametrize(("fault", "code", "said"), [("gated", 2, "is gated"), ("away", 75, "no answer within 0")])
def test_a_hub_that_refuses_is_one_line(pythia, capsys, fault, code, said):
    if fault == "gated":
        pythia.gated.add(PYTHIA)
    else:
        pythia.faults = {"/refs": [503] * 100}
    found, out, err = revisions(capsys, "available=true", "checkpoints.patience=0")
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert said in err


@pytest.mark.slow_but_one
@pytest.mark.parametrize(("request_for", "words"), [("/refs", "available=true"), ("/tree/", "audit=true")])
def test_a_silent_hub_ends_lists_and_audits_as_it_ends_searches(pythia, capsys, request_for, words):
    pythia.faults = {request_for: ["stall"] * 99}
    began = time.monotonic()
    found, _, err = revisions(capsys, words, "checkpoints.patience=300", "checkpoints.silence=0.5")
    assert (found, "nothing came for 0.5 s" in err) == (75, True), err
    assert time.monotonic() - began < 8


def test_tags_commits_and_sibling_repositories_are_found_as_their_families_publish_them(hub):
    bloom, pico, bert = "bigscience/bloom-560m-intermediate", "pico-lm/pico-decoder-tiny", "google/multiberts-seed_0"
    for step in (1000, 10000):
        serve(hub, bloom, f"global_step{step}")
        serve(hub, pico, f"commit-of-{step}")
    hub.tags = {"global_step1000", "global_step10000"}
    hub.titles = {pico: {"run-1": [("commit-of-10000", "Saving HF Model -- Step 10000"),
                                   ("commit-of-1000", "Saving HF Model -- Step 1000"),
                                   ("commit-of-1000", "Saving Learning Dynamics Data (val) -- Step 500")]}}  # fmt: skip
    for step in ("0k", "20k"):
        serve(hub, f"{bert}-step_{step}", "main")
    found = {name: listed(HubCheckpoints((name,)).access, name) for name in (bloom, pico, bert)}
    assert [(revision.name, revision.step) for revision in found[bloom].offer.revisions] == [
        ("global_step1000", 1000),
        ("global_step10000", 10000),
    ]
    assert [(revision.name, revision.step) for revision in found[pico].offer.revisions] == [
        ("step1000", 1000),
        ("step10000", 10000),
    ]
    assert found[pico].refs["step1000"].commit == hub.branches(pico)["commit-of-1000"]
    assert [(revision.name, revision.step) for revision in found[bert].offer.revisions] == [
        ("step_0k", 0),
        ("step_20k", 20000),
    ]
    assert found[bert].refs["step_20k"].repository == "google/multiberts-seed_0-step_20k"
    assert len(found[bert].lacking) == 29 - 2


def test_a_sound_family_has_no_findings_and_the_trees_are_asked_for_once(pythia, capsys):
    assert findings(capsys) == {}
    trees = [path for path in pythia.asked if "/tree/" in path]
    assert len(trees) == 10  # two files each: one page
    assert len([path for path in pythia.asked if "resolve" in path]) <= 2  # HEAD and GET of the only config
    assert findings(capsys) == {}
    assert [path for path in pythia.asked if "/tree/" in path] == trees
    assert not [path for path in pythia.asked if path.endswith("safetensors")]


def test_copies_are_found(pythia, capsys):
    serve(pythia, PYTHIA, "step1", weights="step0")
    serve(pythia, PYTHIA, "step64", weights="step143000")
    assert findings(capsys) == {
        "step1": "all weights are those of step0",
        "step64": "all weights are those of step143000",
    }


def test_a_shard_of_the_final_model_in_a_middle_step_is_found(hub, capsys):
    for step in (1000, 2000, 5000, 10000, 20000, 143000):
        first = "final" if step in (5000, 143000) else f"first{step}"
        serve(hub, PYTHIA, f"step{step}", weights=(first, f"second{step}", f"third{step}"))
    assert findings(capsys) == {
        "step5000": "1 of 3 files with weights are those of step143000, and not of the steps between"
    }


def test_missing_shards_weights_and_configs_and_other_sizes_and_layers_are_found(pythia, capsys):
    shutil.rmtree(pythia.root / PYTHIA / "step1000")
    serve(pythia, PYTHIA, "step1000", weights=("a", "b"), shards=3)
    (pythia.root / PYTHIA / "step2000" / "model.safetensors").unlink()
    (pythia.root / PYTHIA / "step5000" / "config.json").unlink()
    (pythia.root / PYTHIA / "step10000" / "model.safetensors").write_bytes(b"short")
    (pythia.root / PYTHIA / "step20000" / "config.json").write_text('{"num_hidden_layers": 5}')
    (pythia.root / PYTHIA / "step40000" / "config.json").write_text("<html>")
    (pythia.root / PYTHIA / "main" / "model.safetensors").write_bytes(b"another".ljust(100))
    found = findings(capsys)
    assert found.pop("step1000") in (
        "1 of 3 shards are missing", "the weights are 200 bytes, those of most revisions 100"
    )  # fmt: skip
    assert found == {
        "step2000": "there are no weights (model.safetensors or pytorch_model.bin)",
        "step5000": "there is no config.json",
        "step10000": "the weights are 5 bytes, those of most revisions 100",
        "step20000": "its config.json says 5 layers, the model has 6",
        "step40000": "its config.json tells no number of layers",
        "main": "the weights are not those of step143000",
    }


def test_an_audit_is_a_table_that_its_owners_can_read(pythia, capsys):
    serve(pythia, PYTHIA, "step64", weights="step143000")
    code, out, _ = revisions(capsys, "audit=true", "output=audit.md")
    assert code == 3
    assert "  audit: 1 finding\n    step64: all weights are those of step143000\n" in out
    commit = pythia.branches(PYTHIA)["step64"][:12]
    with open("audit.md") as file:
        assert f"| step64 | {commit} | all weights are those of step143000 | model.safetensors |\n" in file.read()


def test_a_model_of_no_family_is_asked_for_by_the_general_names(hub, capsys):
    for name in ("step0", "checkpoint-500", "main"):
        serve(hub, "EleutherAI/other", name)
    assert registry.family_of("EleutherAI/other") is None
    found = listed(HubCheckpoints(("other",)).access, "EleutherAI/other").offer
    assert [(revision.name, revision.step) for revision in found.revisions] == [
        ("step0", 0),
        ("checkpoint-500", 500),
        ("main", 501),
    ]
