"""A tokenizer and a model that do not belong together are told apart where their sizes can tell."""

import pytest
from probe.tiny_models import make

from tl_search.probe.loading import load_tokenizer


def test_a_vocabulary_larger_than_the_models_is_refused_though_no_text_shows_it(tmp_path):
    folder = make(tmp_path / "model", vocab_size=258)
    with pytest.raises(ValueError, match=r"model: its tokenizer gives token 258, but the model has only 258$"):
        load_tokenizer(folder)


def test_tokens_added_behind_the_models_vocabulary_do_no_harm(tmp_path):
    folder = make(tmp_path / "model", vocab_size=259)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"pad_token": "<fill>"})
    tokenizer.save_pretrained(folder)
    assert load_tokenizer(folder).pad_token_id == 259


@pytest.mark.parametrize(("size", "lines"), [(518, 0), (519, 1)])
def test_a_vocabulary_of_less_than_half_the_models_is_said(tmp_path, caplog, size, lines):
    load_tokenizer(make(tmp_path / "model", vocab_size=size))
    found = [record.getMessage() for record in caplog.records if record.name.startswith("tl_search")]
    assert len(found) == lines
    if lines:
        assert found[0].endswith("model: its tokenizer has 259 tokens and the model 519; it may be another model's")
