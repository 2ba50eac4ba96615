"""Tokenizers, and the packed file that they fill."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers, processors
from transformers import AutoTokenizer

from tl_search.text.files import TextFiles
from tl_search.training.families.pythia import Pythia
from tl_search.training.packing import pack
from tl_search.training.tokens import ByteTokenizer, PretrainedTokenizer, TrainedTokenizer, digest_of, rows

BYTES = ByteTokenizer().build()
TEXTS = ["the cat sat on the mat, " * 20, "der Löwe schläft heute, " * 20, "and a third text " * 20]


@pytest.fixture
def corpus(tmp_path):
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.txt").write_text(text)
    return TextFiles(str(tmp_path / "*.txt"))


def test_a_byte_is_a_token_and_its_value_the_tokens_id():
    assert BYTES("aé\n")["input_ids"] == [97, 0xC3, 0xA9, 10]
    assert (len(BYTES), BYTES.eos_token_id) == (257, 256)


def lowercased(tokenizer):
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()


def opened_with_a_token(tokenizer):
    closing = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 256)])
    tokenizer.backend_tokenizer.post_processor = closing


@pytest.mark.parametrize(
    "change",
    [
        lowercased,
        opened_with_a_token,
        lambda tokenizer: tokenizer.add_tokens(["the cat"]),
        lambda tokenizer: tokenizer.add_special_tokens({"eos_token": "<|other|>"}),
    ],
)
def test_whatever_changes_the_ids_of_documents_makes_another_text(change):
    changed = ByteTokenizer().build()
    assert digest_of(changed) == digest_of(BYTES)
    change(changed)
    assert digest_of(changed) != digest_of(BYTES)


@given(st.text())
def test_bytes_give_any_text_back(text):
    assert BYTES.decode(BYTES(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]) == text


@settings(deadline=None, max_examples=30)
@given(text=st.text())
def test_a_saved_tokenizer_loads_without_our_code_and_splits_the_same(text):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        BYTES.save_pretrained(folder)
        loaded = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert loaded(text)["input_ids"] == BYTES(text)["input_ids"]
    assert loaded.decode([97, 32, 44]) == "a ,"  # nothing is tidied up


def test_a_trained_tokenizer_is_shorter_than_bytes_and_loses_nothing(tmp_path):
    tokenizer = TrainedTokenizer(vocab_size=300).build(TEXTS)
    tokenizer.save_pretrained(tmp_path)
    loaded = PretrainedTokenizer(str(tmp_path)).build()
    assert 257 < len(loaded) <= 300
    assert loaded.eos_token_id is not None
    for text in [*TEXTS, "unseen: 漢字 \x00"]:
        assert loaded.decode(loaded(text)["input_ids"]) == text
    assert len(loaded(TEXTS[0])["input_ids"]) < len(TEXTS[0]) / 2


@pytest.fixture
def gappy(tmp_path):
    """Thirteen tokens, of which the last, the end of text, has the id 70,000."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {letter: number for number, letter in enumerate("acehmnort su")}
    tokenizer = Tokenizer(models.WordLevel({**words, "<end>": 70_000}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(tmp_path / "gappy")
    return PretrainedTokenizer(str(tmp_path / "gappy"))


def test_a_vocabulary_with_gaps_is_as_large_as_its_last_id(gappy, corpus, tmp_path):
    built = gappy.build()
    assert (len(built), built.eos_token_id, rows(built)) == (13, 70_000, 70_001)
    packed = pack(corpus, gappy, 0.0, tmp_path / "cache")
    assert (packed.train.dtype, packed.train.max()) == (np.uint32, 70_000)
    assert Pythia(16, 1, 2, 16).config(built).vocab_size == 70_001
    assert Pythia(16, 1, 2, 16, vocabulary_multiple=64).config(built).vocab_size == 70_016


@pytest.mark.parametrize("config", [ByteTokenizer(), TrainedTokenizer(300)], ids=["bytes", "trained"])
def test_a_vocabulary_without_gaps_is_as_large_as_it_is_long(config):
    assert rows(config.build(TEXTS)) == len(config.build(TEXTS))


def test_documents_follow_each_other_closed_by_the_end_of_text(corpus, tmp_path):
    packed = pack(corpus, ByteTokenizer(), 0.0, tmp_path / "cache")
    assert packed.train.dtype == np.uint16
    assert bytes(token if token < 256 else 0 for token in packed.train.tolist()) == b"".join(
        text.encode() + b"\0" for text in TEXTS
    )
    assert len(packed.validation) == 0


def test_the_words_of_a_special_token_in_a_document_do_not_end_it(tmp_path):
    (tmp_path / "a.txt").write_text("say <|endoftext|> now")
    packed = pack(TextFiles(str(tmp_path / "a.txt")), ByteTokenizer(), 0.0, tmp_path / "cache")
    assert packed.train.tolist().count(256) == 1


@pytest.mark.parametrize(("share", "held_out"), [(0.1, 1), (0.34, 1), (0.67, 2)])
def test_whole_documents_are_held_out(corpus, tmp_path, share, held_out):
    packed = pack(corpus, ByteTokenizer(), share, tmp_path / "cache")
    assert packed.validation.tolist().count(256) == held_out
    assert packed.train.tolist().count(256) == len(TEXTS) - held_out
    assert packed.validation[-1] == 256


def test_a_single_document_gives_its_end(tmp_path):
    (tmp_path / "a.txt").write_text("0123456789" * 10)
    packed = pack(TextFiles(str(tmp_path / "a.txt")), ByteTokenizer(), 0.2, tmp_path / "cache")
    assert (len(packed.train), len(packed.validation)) == (81, 20)


def write(folder, **texts):
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return TextFiles(str(folder))


def test_long_documents_give_only_their_ends_when_the_share_would_be_far_exceeded(tmp_path):
    packed = pack(write(tmp_path / "two", a="a" * 8_000, b="b" * 120_000), ByteTokenizer(), 0.02, tmp_path / "cache")
    assert (len(packed.train), len(packed.validation)) == (128_002 - 2_560, 2_560)
    assert packed.validation.tolist() == [ord("b")] * 2_559 + [256]
    assert packed.facts == {"documents": 2, "empty": 0, "held_out": 1, "alike": 0, "cut": 1}


def test_only_the_longest_held_out_documents_are_cut(tmp_path):
    texts = {f"{number:02}": chr(97 + number % 26) * (99 if number != 19 else 9_999) for number in range(40)}
    packed = pack(write(tmp_path / "many", **texts), ByteTokenizer(), 0.1, tmp_path / "cache")
    assert (len(packed.train), len(packed.validation)) == (13_900 - 1_390, 1_390)
    assert (packed.facts["held_out"], packed.facts["cut"]) == (4, 1)
    assert sorted(packed.validation.tolist().count(token) for token in {*packed.validation.tolist()})[:1] == [4]
    least = pack(write(tmp_path / "same", **texts), ByteTokenizer(), 0.1, tmp_path / "cache", least=5_000)
    assert len(least.validation) == 5_000


def test_marks_and_empty_documents_are_no_text_and_equal_documents_are_counted(tmp_path):
    corpus = write(tmp_path / "odd", a="\ufeffsame", b="", c="other", d="\ufeff", e="third", f="same")
    packed = pack(corpus, ByteTokenizer(), 0.25, tmp_path / "cache")
    assert bytes(token % 256 for token in packed.train.tolist()) == b"same\0other\0third\0"
    assert packed.facts == {"documents": 4, "empty": 2, "held_out": 1, "alike": 1, "cut": 0}


def test_by_the_first_rules_text_is_packed_as_it_was(tmp_path):
    corpus = write(tmp_path / "odd", a="\ufeffsame", b="", c="x" * 1000)
    (tmp_path / "odd" / ".d.txt").write_text("hidden")
    packed = pack(corpus, ByteTokenizer(), 0.02, tmp_path / "cache", rules=1)
    assert len(packed.validation) == 1001
    assert bytes(token % 256 for token in packed.train.tolist()) == b"hidden\0\xef\xbb\xbfsame\0\0"
    assert packed.identity.keys() == {"corpus", "tokenizer"}
    packed.tell()


def test_the_packed_file_is_made_once_and_remade_when_damaged(corpus, tmp_path):
    cache = tmp_path / "cache"
    first = pack(corpus, TrainedTokenizer(300), 0.34, cache)
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    second = pack(corpus, TrainedTokenizer(300), 0.34, cache)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()} == files
    expected = first.train.tolist()
    assert second.train.tolist() == expected
    next(cache.glob("tokens/*/train.npy")).write_bytes(b"torn")
    with pytest.warns(UserWarning, match="made again"):
        assert pack(corpus, TrainedTokenizer(300), 0.34, cache).train.tolist() == expected


def test_what_killed_processes_left_in_the_cache_is_removed(corpus, tmp_path):
    cache = tmp_path / "cache"
    old, new = cache / "tokens" / ".aside-old", cache / "tokenizers" / ".aside-new"
    for left in (old, new):
        left.mkdir(parents=True)
        (left / "train.npy").touch()
    os.utime(old, (0, 0))
    pack(corpus, ByteTokenizer(), 0.0, cache)
    assert not old.exists()
    assert new.exists()  # somebody may be writing it


def test_another_letter_is_another_corpus(corpus, tmp_path):
    before = pack(corpus, ByteTokenizer(), 0.0, tmp_path / "cache")
    (tmp_path / "2.txt").write_text("And" + TEXTS[2][3:])
    after = pack(corpus, ByteTokenizer(), 0.0, tmp_path / "cache")
    assert before.corpus_digest != after.corpus_digest
    assert before.tokenizer_digest == after.tokenizer_digest
    assert not np.array_equal(before.train, after.train)
