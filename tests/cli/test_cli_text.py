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


def texts(folder, *contents):
    folder.mkdir()
    for number, text in enumerate(contents):
        (folder / f"{number}.txt").write_text(text)
    return [*(word for word in TINY if "validation_share" not in word), f"data.corpus.path={folder}"]


def test_what_is_held_out_is_told_in_tokens(tmp_path, capfd):
    words = texts(tmp_path / "text", "a" * 800, "b" * 12_000, "")
    with pytest.warns(UserWarning, match=r"^data\.corpus: documents without text that were skipped: 1$"):
        assert main(["train", *words, "data.validation_share=0.02"]) == 0
    told = "".join(capfd.readouterr())
    assert "text: 12,546 tokens to train on; 256 tokens (2.0 %) of 1 documents are held out, 1 of them with" in told


def test_equal_documents_on_both_sides_are_told(tmp_path):
    words = texts(tmp_path / "text", "same text " * 20, "another one " * 20, "same text " * 20)
    with pytest.warns(UserWarning, match="held-out documents that are also in the training text: 1 of 1"):
        assert main(["train", *words, "data.validation_share=0.3"]) == 0
