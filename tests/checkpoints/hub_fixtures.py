"""A loopback Hub with one published model, for the tests of sources."""

import shutil

import pytest
from checkpoints.loopback_hub import LoopbackHub
from probe.tiny_models import make

MODEL = "EleutherAI/tiny"


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Folders step0, step1, step1000 and main, which is step1000 again."""
    root = tmp_path_factory.mktemp("published") / MODEL
    for seed, step in enumerate((0, 1, 1000)):
        make(root / f"step{step}", seed=seed)
    shutil.copytree(root / "step1000", root / "main")
    return root


@pytest.fixture
def hub(published, tmp_path, monkeypatch):
    """The real client talks to it; nothing but loopback is ever reached."""
    import huggingface_hub

    shutil.copytree(published, tmp_path / "served" / MODEL)
    server = LoopbackHub(tmp_path / "served")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    huggingface_hub.close_session()
    server.close()
