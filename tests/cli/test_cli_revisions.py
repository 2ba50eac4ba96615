"""`tl revisions` without a network: what it lists and counts of published families and of local models, and refuses."""

import json
from pathlib import Path

import pytest
import yaml
from probe.tiny_models import make

from tl_search.cli.config.compose import parse
from tl_search.cli.main import main

SPARSE = [f"step{step}" for step in (1000, 2000, 5000, 10000, 20000, 40000, 80000, 143000)]
THREE = "checkpoints.models=[pythia-14m,pythia-70m,pythia-410m]"


@pytest.fixture
def revisions(folder, capsys, monkeypatch):
    """Run a line of `tl revisions` that should succeed; (stdout, stderr). There is no network."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")

    def run(*words):
        capsys.readouterr()
        code = main(["revisions", *words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out, err

    return run


@pytest.fixture
def refused(folder, capsys):
    def run(*words):
        before = sorted(folder.rglob("*"))
        capsys.readouterr()
        code = main(["revisions", *words])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), (code, out, err)
        assert sorted(folder.rglob("*")) == before
        return err.removeprefix("error: ").rstrip("\n")

    return run


def counts(revisions, *words):
    found = json.loads(revisions(*words, "format=json")[0])["models"]
    return {name.partition("/")[2]: entry["counts"] for name, entry in found.items()}


def test_the_counts_are_those_of_the_documents(revisions):
    sparse = counts(revisions, THREE)
    assert {name: found["blocks"] for name, found in sparse.items()} == {
        **{"pythia-14m": 48, "pythia-70m": 48, "pythia-410m": 192}
    }
    assert sum(found["blocks"] for found in sparse.values()) == 288
    assert [found["arms"] for found in sparse.values()] == [8 * 7, 8 * 7, 8 * 25]
    everything = counts(revisions, THREE, "sampling=all")
    assert sum(found["blocks"] for found in everything.values()) == 5544


def test_disk_and_costs_follow_from_the_sizes(revisions):
    found = counts(revisions, "work.tasks=2", "work.texts=10", "budget.share=0.5")["pythia-410m"]
    assert (found["download"], found["scratch"]) == (8 * 911_331_328, 2 * 911_331_328)
    assert found["embeddings"] == 8 * 25 * 1024 * 4 * 20
    assert found["exhaustive"] == pytest.approx(8 * found["one"], abs=0.01)
    assert found["budget"] == pytest.approx(found["exhaustive"] / 2, abs=0.01)


def test_every_readout_of_a_layer_is_an_arm_of_the_same_pass(revisions):
    alone, twice = (counts(revisions, f"work.readouts={number}")["pythia-410m"] for number in (1, 2))
    assert (twice["arms"], twice["blocks"]) == (2 * alone["arms"], 2 * alone["blocks"])
    assert twice["embeddings"] == alone["embeddings"]
    assert alone["exhaustive"] < twice["exhaustive"] < 2 * alone["exhaustive"]
    assert "Arms are a revision, a layer and one of 2 readouts" in revisions("work.readouts=2")[0]


@pytest.mark.slow
def test_the_chosen_tasks_are_counted_and_what_is_assumed_is_said(revisions):
    found = json.loads(revisions("tasks=stdlib_quick", "format=json")[0])["models"]["EleutherAI/pythia-410m"]
    assumed = json.loads(revisions("format=json")[0])["models"]["EleutherAI/pythia-410m"]
    assert (found["assumed"], assumed["assumed"]) == (["costs", "metrics"], ["work", "costs", "metrics"])
    assert 0 < found["counts"]["exhaustive"] < assumed["counts"]["exhaustive"]
    out, _ = revisions("tasks=stdlib_quick", "budget.pulls=3")
    told = " ".join(out.split())
    assert "by which a search decides, for 4 tasks, whose " in told
    assert "at most with budget.share=0.25 and budget.pulls=3. The confirmation is not in them." in told
    assert "for 7 tasks, which are assumed to have 2,000 texts of 200 characters (work.*)" in " ".join(
        revisions()[0].split()
    )


def test_the_table_has_a_line_for_each_model_and_one_for_all(revisions):
    out, err = revisions(THREE)
    lines = out.splitlines()
    assert err == ""
    assert lines[2] == f"EleutherAI/pythia-410m (Pythia): 8 of 154 revisions: {', '.join(SPARSE)}"
    assert lines[3] == "  note: main is step143000"
    rows = [line.split() for line in lines if line.startswith(("pythia-", "all"))]
    assert [row[:4] for row in rows] == [
        ["pythia-14m", "8", "48", "56"],
        ["pythia-70m", "8", "48", "56"],
        ["pythia-410m", "8", "192", "200"],
        ["all", "24", "288", "312"],
    ]


def test_each_format_is_read_by_what_it_is_for(revisions):
    assert revisions("format=list")[0].splitlines() == SPARSE
    assert yaml.safe_load(revisions("format=yaml")[0]) == {"revisions": SPARSE}
    found: dict = {}
    exec(revisions("format=python")[0], found)
    assert found["revisions"] == SPARSE
    out, err = revisions("format=override")
    assert parse("search", out.split()).overrides[:2] == ("sampling=list", f"sampling.revisions=[{','.join(SPARSE)}]")
    assert "EleutherAI/pythia-410m: main is step143000\n" in err
    assert revisions(*out.split(), "format=list")[0].splitlines() == SPARSE


def test_several_models_are_told_apart_in_every_format(revisions):
    two = "checkpoints.models=[pythia-14m,pythia-31m]"
    assert "EleutherAI/pythia-31m\tstep1000\n" in revisions(two, "format=list")[0]
    assert list(yaml.safe_load(revisions(two, "format=yaml")[0])["revisions"]) == [
        "EleutherAI/pythia-14m",
        "EleutherAI/pythia-31m",
    ]


def test_a_whole_family_is_listed_and_models_with_the_same_list_share_it(revisions):
    out, _ = revisions("checkpoints.family=multiberts")
    assert out.count("step_20k") == 1
    assert out.splitlines()[4].startswith("google/multiberts-seed_4 (MultiBERTs): 7 of 29 revisions: step_20k, ")


def test_another_spelling_of_a_listed_revision_is_told_and_read(revisions, caplog):
    out, _ = revisions("sampling=list", "sampling.revisions=[step-1000,main]", "format=list")
    assert out.splitlines() == ["step1000", "step143000"]
    assert caplog.messages == ["step-1000: read as step1000, which is how Pythia writes it"]


def test_a_family_of_which_the_registry_is_not_certain_says_so(revisions):
    out, _ = revisions("checkpoints.family=olmo3", "checkpoints.organisation=allenai")
    assert "note: the registry is not certain of these names and steps; available=true asks the Hub" in out


def test_a_training_run_and_a_folder_are_listed_as_a_search_sees_them(revisions, folder, trained):
    out, err = revisions(str(trained), "sampling=all")
    assert err == ""
    assert f"{trained.name}: " in out
    assert "download" not in out
    for step, seed in ((0, 1), (500, 2), (1000, 3)):
        make(folder / "models" / f"step{step}", seed=seed)
    there = ("checkpoints=folder", "checkpoints.path=models")
    assert revisions(*there, "sampling=sparse", "format=list")[0].splitlines() == ["step0", "step500", "step1000"]
    assert not Path("runs").exists()


def test_what_it_finds_is_written_to_a_file(revisions):
    _, err = revisions("output=found.json")
    assert err == "written to found.json\n"
    with open("found.json") as file:
        told = json.load(file)["models"]["EleutherAI/pythia-410m"]
    assert (told["family"], told["known"], told["certain"]) == ("pythia", 154, True)
    assert told["revisions"][0] == {"name": "step1000", "step": 1000, "tokens": 2_097_152_000}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpoints.family=pythias"], "checkpoints.family: there is no family 'pythias' .*; did you mean pythia"),
        (["checkpoints.models=[]"], "checkpoints.models: must be at least one, got none"),
        (["checkpoints.models=[../x]"], "checkpoints.models: must be named like"),
        (["checkpoints.models=[gpt2]"], "checkpoints: no revisions of EleutherAI/gpt2 are known: .*available=true"),
        (["checkpoints.models=[pythia-411m]"], "this model .*; did you mean EleutherAI/pythia-410m.; available=true"),
        (["checkpoints.models=[pythia/pythia-70m]"], "did you mean EleutherAI/pythia-70m"),
        (["checkpoints.models=[LLM360/K2]"], "checkpoints: no revisions of LLM360/K2 are known: K2 is in the registry"),
        (
            ["sampling=list", "sampling.revisions=[stepp1000]"],
            "is no name of a checkpoint of Pythia; did you mean",
        ),
        (["sampling=list", "sampling.revisions=[]"], "sampling.revisions: must be at least one name or step, got none"),
        (["sampling=list", "sampling.revisions=[true]"], "sampling.revisions.0.: must be text or an integer, got True"),
        (["sampling=list"], "sampling.revisions: must be given"),
        (["sampling=uniform", "sampling.interval=0"], "sampling.interval: must be >= 1, got 0"),
        (["sampling=dense", "sampling.interval=-5"], "sampling.interval: must be >= 0, got -5"),
        (["format=tabel"], "format: must be one of table, .* got 'tabel'; did you mean table"),
        (["budget.share=0"], "budget.share: must be above 0 and at most 1, got 0"),
        (["tasks.names=[Stdlib]", "tasks=stdlib"], "tasks.names: no task 'Stdlib'; did you mean"),
        (["tasks=stdlib", "tasks.selection_split=test"], "tasks.selection_split: "),
        (["work.tasks=0"], "work.tasks: must be >= 1, got 0"),
        (["output=x.csv"], "output: must be a file that ends in .json, got x.csv"),
        (["checkpoints=folder", "checkpoints.path=nowhere"], "checkpoints.path: there is no folder nowhere"),
        (["checkpoints=folder", "checkpoints.path=.", "audit=true"], "audit: must be false, since"),
        ([THREE, "format=override"], "format: override is for one model, since a search takes one, got 3"),
    ],
)
@pytest.mark.slow_but_every(3)
def test_a_mistake_is_one_line(refused, words, message):
    import re

    assert re.search(message, refused(*words))


def test_a_search_of_several_models_is_refused(folder, capsys):
    assert main(["search", "checkpoints=hub", THREE]) == 2
    assert capsys.readouterr().err.startswith("error: checkpoints.models: must be one (only one is searched at a time)")
