"""A device that is not there is told in one line, before anything is fetched or embedded."""

import pytest
import torch

from tl_search.cli.main import main


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("probe.accelerator=cuda",), "probe.accelerator: no CUDA device here; must be auto or cpu, got cuda"),
        (("probe.accelerator=auto", "probe.devices=2"), "probe.devices: must be 1 (there are 0 GPUs), got 2"),
        (("probe.devices=0",), "probe.devices: must be >= 1, got 0"),
    ],
)
def test_a_search_on_a_device_that_is_not_there_is_refused(folder, monkeypatch, capfd, words, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("step1", "step2"):
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "config.json").write_text("{}")
    assert main(["search", "checkpoints=folder", "checkpoints.path=models", *words]) == 2
    assert capfd.readouterr().err == f"error: {sentence}\n"
    assert not [path for path in folder.rglob("*") if path.is_file() and "models" not in path.parts]


@pytest.mark.slow_but_one
@pytest.mark.parametrize("accelerator", ["gpu", "cuda", "mps"])
def test_a_training_on_a_device_that_is_not_there_is_refused(folder, monkeypatch, capfd, accelerator):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main(["train", f"trainer.accelerator={accelerator}"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("error: trainer.accelerator: no ")
    assert said.endswith(f" device here; must be auto or cpu, got {accelerator}\n")
    assert not list(folder.iterdir())
