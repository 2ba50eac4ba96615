"""A model's folder, which somebody shared or which lies on the Hub, chooses no code: not by any of its settings."""

import json
from contextlib import nullcontext

import pytest
from probe.tiny_models import make

from tl_search.runs.pretrained import load_config, load_model, load_tokenizer

KERNEL = "evil/kernel"
CONFIGS = {
    "a kernel for attention": {"_attn_implementation": KERNEL},
    "a kernel under its inner name": {"_attn_implementation_internal": KERNEL},
    "a kernel under its public name": {"attn_implementation": KERNEL},
    "a kernel with a version": {"attn_implementation": f"{KERNEL}@main:function"},
    "a kernel of a part": {"attn_implementation": {"text_config": KERNEL}},
    "a kernel further inside": {"vision_config": {"_attn_implementation": KERNEL}},
    "a kernel for experts": {"experts_implementation": KERNEL},
    "kernels for all": {"use_kernels": True},
    "weights that another package reads": {"quantization_config": {"quant_method": "awq"}},
    "weights of another file": {"transformers_weights": "../../secret.safetensors"},
    "layers in another place": {"fusion_config": {"x": "y"}},
    "a tokenizer that is a model": {"tokenizer_class": "AutoModelForCausalLM"},
    "a tokenizer made of others": {"tokenizer_class": "RagTokenizer"},
    "a tokenizer that is a function": {"tokenizer_class": "pipeline"},
}


@pytest.fixture
def model(tmp_path):
    return make(tmp_path / "model")


def change(folder, name, more):
    path = folder / name
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **more}))


@pytest.mark.parametrize("more", CONFIGS.values(), ids=CONFIGS)
def test_a_setting_that_would_choose_code_is_named_and_refused(more, model):
    change(model, "config.json", more)
    for load in (load_config, load_model, load_tokenizer):
        with pytest.raises(ValueError, match=r"config\.json: \w+: (must|is not)"):
            load(model, local_files_only=True)


@pytest.mark.parametrize("more", [CONFIGS["a tokenizer that is a model"], CONFIGS["a kernel for attention"]])
def test_the_tokenizers_settings_are_looked_at_too(more, model):
    change(model, "tokenizer_config.json", more)
    with pytest.raises(ValueError, match=r"tokenizer_config\.json: \w+: must"):
        load_tokenizer(model, local_files_only=True)


def test_an_adapter_does_not_load_the_model_that_it_names(model):
    change(model, "adapter_config.json", {"base_model_name_or_path": "evil/model"})
    with pytest.raises(ValueError, match="is an adapter of another model"):
        load_model(model, local_files_only=True)


@pytest.mark.parametrize("known", [True, False], ids=["beside a known model", "of an unknown model"])
def test_a_models_own_code_does_not_run(known, model, marker, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # transformers would ask
    (model / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    code = dict.fromkeys(("AutoConfig", "AutoModel", "AutoModelForCausalLM"), "evil.Evil")
    change(model, "config.json", {"auto_map": code, **({} if known else {"model_type": "evil"})})
    change(model, "tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "evil.Evil"]}})
    for load in (load_config, load_model, lambda *a, **k: load_model(*a, "AutoModelForCausalLM", **k), load_tokenizer):
        with nullcontext() if known or load is load_tokenizer else pytest.raises(ValueError, match="custom code"):
            load(model, local_files_only=True)
    assert not marker.exists()


@pytest.mark.parametrize("own", ["eager", "sdpa", "flash_attention_2", None, {"": "sdpa"}])
def test_the_librarys_own_attention_may_be_named_and_is_not_used(own, model):
    change(model, "config.json", {"_attn_implementation": own})
    assert load_model(model, local_files_only=True).config._attn_implementation == "sdpa"
