"""A loaded model owns its weights; a tokenizer that is not the model's is told where sizes can tell."""

import json

import pytest
import torch
import transformers
from probe.tiny_models import in_shards, make, make_nested

from tl_search.checkpoints.source import ModelShape, shape_of
from tl_search.probe.loading import load_model, load_tokenizer, swap_weights


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_models_weights_do_not_change_with_the_file_that_they_came_from(tmp_path, dtype, swapped):
    model = load_model(make(tmp_path / "first", seed=1), dtype)
    if swapped:
        assert swap_weights(model, make(tmp_path / "second", seed=2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for file in tmp_path.glob("*/model.safetensors"):
        with file.open("r+b") as opened:  # the same file, and as long: a shorter one would end the test's process
            opened.write(bytes(file.stat().st_size))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_weights_in_shards_are_swapped_in_place(tmp_path):
    """Between shards, and between shards and a single file, as where one checkpoint was saved in another way."""
    model, wanted = load_model(make(tmp_path / "single", seed=1), torch.float32), {}
    for seed in (2, 3):
        folder = make(tmp_path / f"shards{seed}", seed=seed)
        assert len(in_shards(folder)) > 2
        wanted = load_model(folder, torch.float32).state_dict()
        memory = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
        assert swap_weights(model, folder)
        assert {name: tensor.data_ptr() for name, tensor in model.state_dict().items()} == memory
        assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
    assert swap_weights(model, tmp_path / "single")
    assert not all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {"a": "../single/model.safetensors"}}', '{"weight_map": [1]}'])
def test_an_index_that_names_no_shards_of_the_folder_swaps_nothing(tmp_path, index):
    model, folder = load_model(make(tmp_path / "single", seed=1), torch.float32), make(tmp_path / "shards", seed=2)
    in_shards(folder)
    (folder / "model.safetensors.index.json").write_text(index)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert not swap_weights(model, folder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_damaged_shard_is_named(tmp_path):
    model, folder = load_model(make(tmp_path / "single", seed=1), torch.float32), make(tmp_path / "shards", seed=2)
    second = in_shards(folder)[1]
    second.write_bytes(b"<html>")
    with pytest.raises(ValueError, match=rf"{second.name}: damaged"):
        swap_weights(model, folder)


def test_tied_weights_stay_tied(tmp_path):
    model = load_model(make(tmp_path, "t5"), torch.float32)
    assert model.shared.weight is model.encoder.embed_tokens.weight is model.decoder.embed_tokens.weight


def test_of_a_model_that_reads_images_too_the_text_model_is_probed(tmp_path):
    folder = make_nested(tmp_path / "model")
    model = load_model(folder, torch.float32)
    assert type(model).__name__ == "Gemma3TextModel"
    ids = torch.tensor([[5, 6, 7, 8]])
    whole = transformers.AutoModel.from_pretrained(folder)
    assert torch.equal(model(input_ids=ids).last_hidden_state, whole(input_ids=ids).last_hidden_state)
    assert shape_of(folder) == ModelShape(3, 16, sum(weight.numel() for weight in model.parameters()))


def test_a_vocabulary_larger_than_that_of_a_nested_text_model_is_refused(tmp_path):
    folder = make_nested(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["vocab_size"] = 258
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="the model has only 258"):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    "config", [{"model_type": "unheard_of"}, {}, [], {"model_type": "gpt_neox", "num_hidden_layers": None}]
)
def test_a_config_of_no_model_is_one_line_that_names_the_file(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config\.json: (?:describes no model that can be probed|damaged) \([^\n]+$"):
        shape_of(tmp_path)
