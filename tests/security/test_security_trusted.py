"""The code of a model runs when the person names its folder or its commit on the command line, and never otherwise."""

import json

import pytest
from probe.tiny_models import make
from search.test_search_command import QUICK

from tl_search.checkpoints.source import shape_of
from tl_search.cli.main import main
from tl_search.runs import trusted
from tl_search.runs.pretrained import load_config, load_model, load_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = """
from transformers import GPTNeoXConfig, GPTNeoXModel
open(MARKER, "w")
class MineConfig(GPTNeoXConfig):
    model_type = "mine"
class MineModel(GPTNeoXModel):
    config_class = MineConfig
"""


def custom(folder, marker, seed=0):
    """A model that only its own code can load, which leaves a marker."""
    make(folder, seed=seed, num_hidden_layers=1)
    (folder / "mine.py").write_text(CODE.replace("MARKER", repr(str(marker))))
    config = json.loads((folder / "config.json").read_text())
    code = {"AutoConfig": "mine.MineConfig", "AutoModel": "mine.MineModel"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mine", "auto_map": code}))
    return folder


@pytest.fixture(autouse=True)
def nobody_is_trusted(monkeypatch, tmp_path):
    from transformers import dynamic_module_utils

    monkeypatch.delenv("TL_TRUST_REMOTE_CODE", raising=False)
    monkeypatch.delenv("TL_TRUSTED_FOLDERS", raising=False)
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))


def test_the_refusal_names_the_very_words_that_allow_it(tmp_path, marker):
    model = custom(tmp_path / "models" / "step1", marker)
    for load in (load_config, load_model):
        with pytest.raises(ValueError, match=rf"custom code.* trust_remote_code=\[{model}\]$"):
            load(model, local_files_only=True)
    with pytest.raises(ValueError, match="custom code"):
        shape_of(model)
    assert not marker.exists()
    trusted.allow([trusted.checked(str(model.parent))])
    assert type(load_model(model, local_files_only=True)).__name__ == "MineModel"
    assert shape_of(model).n_layers == 1
    assert load_tokenizer(model, local_files_only=True)
    assert marker.exists()


def test_a_folder_is_trusted_by_its_place_and_not_by_its_name(tmp_path, marker):
    model = custom(tmp_path / f"models--some--one/snapshots/{COMMIT}", marker)
    with pytest.raises(ValueError, match=rf"trust_remote_code=\[some/one@{COMMIT}\]$"):
        load_config(model, local_files_only=True)
    trusted.allow([f"some/one@{COMMIT}", str(tmp_path / "models--some--on")])
    with pytest.raises(ValueError, match="custom code"):
        load_config(model, local_files_only=True)
    assert not trusted.grant("some/one", COMMIT.replace("0", "1"), model)
    assert not marker.exists()
    assert trusted.grant("some/one", COMMIT, model)  # as the Hub's source says when it has downloaded that commit
    assert load_config(model, local_files_only=True).model_type == "mine"


def test_code_of_another_repository_does_not_run_with_it(tmp_path, marker):
    model = custom(tmp_path / "model", marker)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil/repo--mine.MineModel"}}))
    trusted.allow([str(model)])
    with pytest.raises(ValueError, match="must not name code of another repository"):
        load_model(model, local_files_only=True)
    assert not marker.exists()


@pytest.mark.parametrize("entry", ["some/one", "some/one@main", f"some/one@{COMMIT[:12]}", f"one@{COMMIT}", "nowhere"])
def test_a_model_is_named_with_its_whole_commit(entry, refused):
    said = refused("search", "checkpoints=folder", "checkpoints.path=.", f"trust_remote_code=[{entry}]")
    assert said.startswith("trust_remote_code: must be owner/name@COMMIT, with all 40 digits")


def test_a_file_trusts_nobody(shared, refused, here, marker):
    custom(here / "models" / "step1", marker)
    shared("experiments/mine.yaml", f"# @package _global_\ntrust_remote_code: ['{here / 'models'}']\n")
    words = ("search", "checkpoints=folder", "checkpoints.path=models", *QUICK, "experiments=mine")
    assert "trust_remote_code: must be given on the command line" in refused(*words)


def test_a_search_runs_the_code_that_the_person_allows_and_records_it(here, marker, tiny, capsys):
    for number in (0, 4):
        custom(here / "models" / f"step{number}", marker, seed=number)
    words = ("search", "checkpoints=folder", "checkpoints.path=models", *QUICK)
    before = sorted(here.rglob("*"))
    assert main([*words]) == 2
    said = capsys.readouterr().err
    assert f"trust_remote_code=[{here}/models/step4]" in said
    assert not marker.exists()
    assert sorted(here.rglob("*")) == before
    assert main([*words, "trust_remote_code=[models]"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"warning: trust_remote_code: code of these models may run: {here}/models"
    assert marker.exists()
    record = json.loads(next(here.glob("runs/search/*/run.json")).read_text())
    assert record["trusted"] == [f"{here}/models"]
    assert trusted.allowed() == ()
