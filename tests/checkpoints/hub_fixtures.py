"""Loopback Hubs, one of them with a published model, for the tests of sources."""

import shutil
from contextlib import contextmanager

import pytest
from checkpoints.family_hub import FamilyHub
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


@contextmanager
def served(kind, root, monkeypatch):
    """A server of a folder of models; the real client talks to it, and nothing but loopback is ever reached."""
    import huggingface_hub

    server = kind(root)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    huggingface_hub.close_session()  # else its connections are closed, and that is logged, during another test
    server.close()


@pytest.fixture
def hub(published, tmp_path, monkeypatch):
    """A Hub with the published model."""
    shutil.copytree(published, tmp_path / "served" / MODEL)
    with served(LoopbackHub, tmp_path / "served", monkeypatch) as server:
        yield server


@pytest.fixture
def family_hub(tmp_path, monkeypatch):
    """A Hub with nothing on it, which also has tags, titles of commits, and sibling repositories."""
    (tmp_path / "served").mkdir()
    with served(FamilyHub, tmp_path / "served", monkeypatch) as server:
        yield server
