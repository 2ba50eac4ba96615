"""A Hub that takes uploads."""

import huggingface_hub
import pytest
from export.upload_hub import TOKEN, UploadHub
from huggingface_hub import constants


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # a protocol of the Hub's own, which this one lacks
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server = UploadHub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    huggingface_hub.close_session()
    server.close()
