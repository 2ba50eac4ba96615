"""What a run recorded of a revision can be measured again, from the run alone."""

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.store.atomic import read_json, write_json
from tl_search.store.manifest import write_manifest


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of six steps, and its folder as the working directory; only to be read."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("evaluate")
        patch.chdir(folder)
        assert main(["train", *TINY, "trainer.max_steps=6"]) == 0
        yield only_run()


def files(run):
    return {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["", "@main", "@best", "@step0", "@step6"])
@pytest.mark.slow_but_every(3)
def test_the_recorded_eval_loss_is_measured_again_bit_for_bit_and_nothing_is_written(trained, name, capsys):
    before = files(trained)
    assert main(["evaluate", f"{trained}{name}"]) == 0
    said = capsys.readouterr().out
    assert "equal bit for bit" in said
    recorded = read_json(trained / "revisions" / (name[1:] or "main") / "MANIFEST.json")["eval_loss"]
    assert said.count(f"{recorded:.8f}") == 2
    assert "eval perplexity" in said
    assert files(trained) == before


def test_a_model_that_brings_code_is_not_evaluated(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    run = Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))
    folder = run / "revisions" / "step0"
    facts, config = read_json(folder / "MANIFEST.json"), read_json(folder / "config.json")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    kernel, code = {"_attn_implementation": "evil/kernel"}, {"AutoModelForCausalLM": "evil.Evil"}
    for more, expected in (({"auto_map": code}, 0), (kernel, 2)):
        write_json(folder / "config.json", {**config, **more})
        (folder / "MANIFEST.json").unlink()
        write_manifest(folder, **{key: value for key, value in facts.items() if key != "files"})
        assert main(["evaluate", f"{run}@step0"]) == expected
    assert "config.json: _attn_implementation: must not choose code" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("changes", [{}, {"devices": 4}, {"accelerator": "tpu"}], ids=["one", "four", "tpu"])
def test_a_run_of_other_devices_is_measured_on_what_is_here(trained, tmp_path, changes, capsys):
    run = Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))
    config = OmegaConf.load(run / "config.yaml")
    config.trainer.update({"accelerator": "mps" if torch.cuda.is_available() else "cuda", **changes})
    OmegaConf.save(config, run / "config.yaml")
    with pytest.warns(
        UserWarning, match=f"accelerator={config.trainer.accelerator}, which is missing here; the loss was measured on"
    ):
        assert main(["evaluate", f"{run}"]) == 0
    assert "they agree" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{run}@step7", "has no revision 'step7' (options"),
        ("{run}@bets", "has no revision 'bets'"),
        ("nowhere@step1", "run: there is no folder nowhere"),
        (".", "run: . is not a training run"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_line(trained, words, said, capsys):
    assert main(["evaluate", words.format(run=trained)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_a_damaged_revision_names_the_file_and_another_number_ends_with_3(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY]) == 0
    run = only_run()
    folder = run / "revisions" / "step0"
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    capsys.readouterr()
    assert main(["evaluate", f"{run}@step0"]) == 2
    assert f"{Path('revisions/step0/model.safetensors')}: {len(whole) - 1} bytes" in capsys.readouterr().err
    weights.write_bytes(whole)
    facts = read_json(folder / "MANIFEST.json")
    del facts["files"]
    write_manifest(folder, **{**facts, "eval_loss": facts["eval_loss"] + 1})
    assert main(["evaluate", f"{run}@step0"]) == 3
    assert "do NOT agree" in capsys.readouterr().out
    write_manifest(folder, **{**facts, "eval_loss": None})
    assert main(["evaluate", f"{run}@step0"]) == 2
    assert "step0 has no recorded eval loss to compare with: was written between two" in capsys.readouterr().err
    write_json(run / "run.json", {**read_json(run / "run.json"), "data": {"corpus": "other", "tokenizer": "other"}})
    assert main(["evaluate", f"{run}@main"]) == 2
    assert "was trained on other text: corpus was 'other'" in capsys.readouterr().err
