"""The code of a model on the Hub is fetched and runs at the commit that a person names, and at no other."""

import json
import shutil
from pathlib import Path

import pytest
from checkpoints.hub_fixtures import hub, published  # noqa: F401  fixtures
from checkpoints.hub_search import search_in
from security.test_security_trusted import custom, nobody_is_trusted  # noqa: F401  the latter is a fixture

from tl_search.checkpoints.hub import HubCheckpoints
from tl_search.cli.main import main
from tl_search.runs import trusted
from tl_search.runs.pretrained import load_model

MODEL = "EleutherAI/coded"


@pytest.fixture
def served(hub, tmp_path, marker):  # noqa: F811
    """The Hub, and on it a model with code of its own: two revisions, the last of which is `main`, too."""
    for number in (1, 4):
        custom(hub.root / MODEL / f"step{number}", marker, seed=number)
    shutil.copytree(hub.root / MODEL / "step4", hub.root / MODEL / "main")
    return hub


@pytest.fixture
def fetched(tmp_path):
    """The folder into which a revision was downloaded, from a cache that begins empty."""

    def fetch(name: str) -> Path:
        source = HubCheckpoints(("coded",), cache=str(tmp_path / "cache"))
        (revision,) = (revision for revision in source.revisions() if revision.name == name)
        return source.fetch(revision)

    return fetch


def code_asked_for(hub) -> list[str]:  # noqa: F811
    return [path for path in hub.asked if path.endswith(".py")]


def test_code_that_nobody_names_is_neither_fetched_nor_run(served, fetched, marker):
    folder = fetched("step4")
    commit = served.branches(MODEL)["step4"]
    with pytest.raises(ValueError, match=rf"custom code.* trust_remote_code=\[{MODEL}@{commit}\]$"):
        load_model(folder, local_files_only=True)
    assert not (folder / "mine.py").exists()
    assert code_asked_for(served) == []
    assert not marker.exists()


def test_code_of_the_named_commit_is_fetched_and_runs(served, fetched, marker):
    commit = served.branches(MODEL)["step4"]
    trusted.allow([trusted.checked(f"{MODEL}@{commit}")])
    assert type(load_model(fetched("step4"), local_files_only=True)).__name__ == "MineModel"
    assert marker.exists()
    assert {path.partition("/resolve/")[2] for path in code_asked_for(served)} == {f"{commit}/mine.py"}


def test_another_commit_of_the_same_model_stays_closed(served, fetched, marker):
    trusted.allow([f"{MODEL}@{served.branches(MODEL)['step1']}"])
    folder = fetched("step4")
    with pytest.raises(ValueError, match="custom code"):
        load_model(folder, local_files_only=True)
    assert not (folder / "mine.py").exists()
    assert code_asked_for(served) == []
    assert not marker.exists()


def test_a_branch_that_has_moved_since_is_another_commit(served, fetched, marker):
    trusted.allow([f"{MODEL}@{served.branches(MODEL)['step4']}"])
    for branch in ("step4", "main"):
        with (served.root / MODEL / branch / "mine.py").open("a") as file:
            file.write("\n# and what somebody has added since\n")
    folder = fetched("step4")
    with pytest.raises(ValueError, match="custom code"):
        load_model(folder, local_files_only=True)
    assert code_asked_for(served) == []
    assert not marker.exists()


def test_a_model_of_the_same_commit_elsewhere_stays_closed(served, fetched, marker):
    trusted.allow([f"Somebody/coded@{served.branches(MODEL)['step4']}"])
    with pytest.raises(ValueError, match="custom code"):
        load_model(fetched("step4"), local_files_only=True)
    assert code_asked_for(served) == []
    assert not marker.exists()


@pytest.mark.slow
def test_a_search_of_the_hub_runs_what_the_command_line_names(served, marker, tiny, tmp_path, monkeypatch, capsys):
    words = ("checkpoints.models=[coded]", "sampling=dense")
    code, run = search_in(tmp_path, monkeypatch, *words)
    refusal = capsys.readouterr().err.splitlines()[-1]
    assert (code, run) == (2, None), refusal
    assert not marker.exists()
    named = [f"{MODEL}@{commit}" for commit in set(served.branches(MODEL).values())]
    assert any(f"trust_remote_code=[{name}]" in refusal for name in named)
    code, run = search_in(tmp_path, monkeypatch, *words, f"trust_remote_code=[{','.join(named)}]")
    assert code == 0
    assert marker.exists()
    assert sorted(json.loads((run / "run.json").read_text())["trusted"]) == sorted(named)
    marker.unlink()
    shutil.rmtree(tmp_path / "modules")  # transformers' copy of the code
    capsys.readouterr()
    assert main(["export", str(run), "to=exported"]) == 2  # what one command was allowed holds for no other
    assert "custom code" in capsys.readouterr().err
    assert not marker.exists()
