"""What a person is told of training text and tokenizers on the command line."""

import json

import pytest
from tiny_training import TINY, only_run

from tl_search.cli.main import main
from tl_search.runs.layout import RunPaths
from tl_search.training.tokens import ByteTokenizer


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save_tokenizer(folder, end):
    """Bytes and two special tokens, of which `end` ends a document."""
    tokenizer = ByteTokenizer().build()
    tokenizer.add_special_tokens({"pad_token": "<|other|>"})
    tokenizer.eos_token = end
    tokenizer.save_pretrained(folder)


def test_another_token_at_the_end_of_documents_is_another_text_and_refused_on_resume(tmp_path, capsys):
    save_tokenizer(tmp_path / "tokenizer", "<|endoftext|>")
    words = ("tokenizer=pretrained", "tokenizer.name=tokenizer", f"cache={tmp_path}/cache")
    own = [word for word in TINY if not word.startswith("tokenizer")]
    assert main(["train", *own, *words]) == 0
    run, packed = only_run(), set((tmp_path / "cache/tokens").iterdir())
    kept = RunPaths(run).record.read_bytes()
    save_tokenizer(tmp_path / "tokenizer", "<|other|>")
    capsys.readouterr()
    for resume in ([f"resume={run}", "trainer.max_steps=6"], [f"resume={run}@step2"]):
        assert main(["train", *resume]) == 2
        assert "end_of_text was '<|endoftext|>', now '<|other|>'" in capsys.readouterr().err
    assert RunPaths(run).record.read_bytes() == kept
    assert set((tmp_path / "cache/tokens").iterdir()) > packed  # its own tokens, not those of the other end
    save_tokenizer(tmp_path / "tokenizer", "<|endoftext|>")
    assert main(["train", f"resume={run}", "trainer.max_steps=6"]) == 0
    assert json.loads(kept)["data"]["end_of_text"] == "<|endoftext|>"
