"""The files of a model that somebody else wrote: what they claim has ceilings, and what they damage is one line."""

import json
from pathlib import Path

import pytest
import torch
from security.conftest import TRAINING

from tl_search.probe.loading import load_model, load_tokenizer
from tl_search.runs.model_files import check_config


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", 1e9),
        ("n_layer", 5_000),
        ("num_labels", 10**9),
        ("num_local_experts", 10**6),
        ("text_config", {"num_layers": 10**7}),
        ("depths", [3, 10**8]),
    ],
)
def test_a_model_of_more_parts_than_any_has_is_not_built(study, key, value):
    folder = Path(TRAINING, "revisions", "step6")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    for read in (check_config, lambda folder: load_model(folder, torch.float32)):
        with pytest.raises(ValueError, match=r"step6/config\.json: .*must be at most [\d,]+, got"):
            read(folder)


WRONG = [
    ("num_attention_heads", 0), ("hidden_size", "x"), ("hidden_size", -1), ("vocab_size", None), ("vocab_size", 10**9),
    ("hidden_act", 7), ("model_type", []), ("rope_parameters", 3), ("layer_norm_eps", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_config_that_describes_no_model_is_one_line(study, key, value):
    folder = Path(TRAINING, "revisions", "step6")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(ValueError, match=rf"^{folder}[^\n]*$"):
        load_model(folder, torch.float32)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_20_000_brackets_in_a_tokenizer_are_one_line(study, name):
    folder = Path(TRAINING, "revisions", "step6")
    (folder / name).unlink()
    (folder / name).write_text("[" * 20_000)
    with pytest.raises(ValueError, match=rf"^{folder}[^\n]*$"):
        load_tokenizer(folder)
