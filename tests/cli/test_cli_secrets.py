"""Secrets come from the environment only: refused in a config, masked in what is written, never echoed."""

import pytest
from omegaconf import OmegaConf

from tl_search.cli.config.secrets import check_secrets
from tl_search.cli.main import main
from tl_search.errors.kinds import BadInput
from tl_search.errors.secrets import redact

CANARY = "hf_canaryCANARYcanaryCANARY"


@pytest.mark.parametrize(
    "words",
    [
        f"train +hub.token={CANARY}",
        "train +logger.x.api_key=whatever",
        "train +hf_token=x",
        f"train name={CANARY}",
        f"train +{CANARY}={CANARY}",
        f"train data=files data.corpus.path={CANARY}",
        "train name=${oc.env:TL_TEST_CANARY}",
    ],
)
def test_a_secret_is_refused_without_being_shown(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TL_TEST_CANARY", CANARY)
    assert main(words.split()) == 2
    captured = capsys.readouterr()
    assert "secrets are read from the environment" in captured.err
    assert CANARY not in captured.err + captured.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "innocent",
    [
        {"tokenizer": "bytes", "begin": "tokenizer"},
        {"losses": {"next_token": 1.0}, "characters_per_token": 4.0},
        {"tokens_per_batch": None, "bos_token": "<s>", "tokens": ["a"]},
        {"key": "step1000", "risk": "task-specific-settings-are-long"},
    ],
)
def test_words_that_only_resemble_secrets_are_left_alone(innocent):
    check_secrets(OmegaConf.create(innocent))


def test_a_secret_inside_a_list_is_found():
    with pytest.raises(BadInput, match=r"settings\.more"):
        check_secrets(OmegaConf.create({"settings": {"more": ["a", CANARY]}}))


def test_what_is_written_is_masked():
    text = redact(OmegaConf.to_yaml({"a": f"before {CANARY} after", "b": "sk-abcdefghijklmnopqrstuvwx"}))
    assert "canary" not in text
    assert "abcdefgh" not in text
    assert "before ***** after" in text
