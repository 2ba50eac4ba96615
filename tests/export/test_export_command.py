"""`tl export` at the shell: from a finished search to a model that scores what the search recorded."""

import json

import mteb
import pytest
from probe.tiny_models import make
from sentence_transformers import SentenceTransformer

from tl_search.cli.main import main

SEARCH = (
    *("checkpoints=folder", "checkpoints.path=models", "tasks.names=[TinyPairs,TinySTS]", "probe.accelerator=cpu"),
    *("extraction.max_length=32", "extraction.final_norm=last_only", "bandit=random", "confirm.resamples=100"),
    *("budget.share=0.1", "sampling=all"),
)


@pytest.fixture(scope="module")
def search(tiny, tmp_path_factory):
    """The directory of a search over two checkpoints; only to be read."""
    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, name in enumerate(("step4", "step16")):
            make(folder / "models" / name, seed=number, num_hidden_layers=2)
        assert main(["search", *SEARCH]) == 0
    (run,) = (folder / "runs/search").iterdir()
    return run


@pytest.fixture(autouse=True)
def beside_the_models(search, monkeypatch):
    monkeypatch.chdir(search.parents[2])


def refused(capsys, *words):
    code = main(["export", *map(str, words)])
    error = capsys.readouterr().err
    assert code == 2, error
    assert error.count("\n") == 1
    return error


def test_the_answer_is_a_model_whose_scores_are_those_that_the_search_recorded(search, tiny, tmp_path, capsys):
    assert main(["export", str(search), f"to={tmp_path / 'best'}"]) == 0
    told = capsys.readouterr().out
    best = json.loads((search / "result.json").read_text())["best"]
    revision, layer = best["arm"]
    assert f"layer {layer} of {revision}" in told
    model = SentenceTransformer(str(tmp_path / "best"), device="cpu")
    assert f'SentenceTransformer("{tmp_path / "best"}")' in told
    task = tiny["TinySTS"]()
    found = mteb.evaluate(model, task, cache=None, show_progress_bar=False)
    scores = found.task_results[0].scores
    for split, recorded in (("selection", best["selection"]), ("confirmation", best["confirmation"])):
        assert 100 * scores[split][0]["main_score"] == pytest.approx(recorded["tasks"]["TinySTS"], abs=0.01)
    card = (tmp_path / "best/README.md").read_text()
    assert f"{best['confirmation']['objective']:.2f}" in card
    assert "library_name: sentence-transformers" in card


def test_another_arm_may_be_named_and_an_export_is_replaced_only_when_asked(search, tmp_path, capsys):
    to = tmp_path / "mine"
    assert main(["export", str(search), f"to={to}", "arm=step4:0"]) == 0
    assert "It was named by hand." in (to / "README.md").read_text()
    assert "overwrite=true replaces it if it is an export" in refused(capsys, search, f"to={to}")
    assert main(["export", str(search), f"to={to}", "arm=step4/layer 1", "overwrite=true"]) == 0
    (to / "check_vector.json").unlink()
    assert "is no export, so it is not overwritten" in refused(capsys, search, f"to={to}", "overwrite=true")


@pytest.mark.slow
def test_it_is_uploaded_and_says_its_licence(search, tmp_path, hub, capsys):
    words = [str(search), f"to={tmp_path / 'best'}", "push_to_hub=me/best", "license=apache-2.0"]
    assert main(["export", *words]) == 0
    told = capsys.readouterr()
    assert f"{hub.url}/me/best: uploaded" in told.out
    assert "the access token is sent there" in told.err
    card = hub.repositories["me/best"]["README.md"].decode()
    assert "license: apache-2.0" in card
    assert 'SentenceTransformer("me/best")' in card
    assert main(["export", words[0], f"to={tmp_path / 'b'}", words[2]]) == 2
    assert "it exists; overwrite=true replaces its files" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    hub.faults["/commit/main"] = 503
    assert main(["export", *words, "overwrite=true"]) == 75
    assert f"`hf upload me/best {tmp_path / 'best'} .`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["license=My licence"], "license: must be a licence as the Hub names them"),
        (["push_to_hub=best"], "push_to_hub: must be owner/name"),
        (["arm=step5:1"], "arm: no revision step5 was searched"),
        (["arm=step4:3"], "arm: must have a layer of 0..2, got 3"),
        (["arm=last"], "arm: must be a revision and a layer, like step1000:5, got 'last'"),
        (["arm=../../etc:1"], "arm: revision: "),
        (["ram=step4:1"], "arm"),
    ],
)
def test_an_arm_that_was_not_searched_is_one_line(search, tmp_path, capsys, words, said):
    assert said in refused(capsys, search, f"to={tmp_path / 'out'}", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_no_search_is_told_what_to_do(tmp_path, trained, capsys):
    assert f"tl search {trained} finds its best arm" in refused(capsys, trained, f"to={tmp_path / 'out'}")
    assert "run: there is no folder" in refused(capsys, tmp_path / "none", f"to={tmp_path / 'out'}")


def test_weights_that_were_not_searched_are_not_exported(search, tmp_path, capsys):
    models = search.parents[2] / "models"
    (models / "step4").rename(tmp_path / "kept")
    try:
        make(models / "step4", seed=9, num_hidden_layers=2)
        assert "step4 has other weights now; only what" in refused(
            capsys, search, f"to={tmp_path / 'out'}", "arm=step4:1"
        )
    finally:
        import shutil

        shutil.rmtree(models / "step4")
        (tmp_path / "kept").rename(models / "step4")
    assert not (tmp_path / "out").exists()
