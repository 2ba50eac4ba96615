"""Tiny random models of many of the library's families, built from their configs; their tables hold 40 positions."""

from typing import Any

import torch
import transformers

VOCABULARY, LAYERS, POSITIONS, WIDTH = 97, 3, 40, 16

_TOKENS = {"vocab_size": VOCABULARY, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_ENCODER = {
    **_TOKENS, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": POSITIONS,
}  # fmt: skip
_DECODER = {**_ENCODER, "num_key_value_heads": 1, "head_dim": 8}
_GPT = {**_TOKENS, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": 2, "n_positions": POSITIONS}
_OPT = {**_ENCODER, "ffn_dim": 32, "word_embed_proj_dim": WIDTH}
_WINDOW = {**_DECODER, "sliding_window": 8}
_DEBERTA = {**_ENCODER, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": 8}
_DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
_LONG = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0], "rope_theta": 1e4,
         "original_max_position_embeddings": 16}  # fmt: skip

# name → the model type's name in the library, and what its config is built from
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert", _ENCODER),
    "biogpt": ("biogpt", _ENCODER),
    "bloom": ("bloom", {**_TOKENS, "hidden_size": WIDTH, "n_layer": LAYERS, "n_head": 2}),
    "codegen": ("codegen", {**_GPT, "n_ctx": POSITIONS, "n_head": 4, "rotary_dim": 4}),
    "convbert": ("convbert", {**_ENCODER, "embedding_size": WIDTH, "num_attention_heads": 4}),
    "ctrl": ("ctrl", {**_GPT, "dff": 32}),
    "deberta": ("deberta", {**_DEBERTA, "position_biased_input": False}),
    "deberta-v2": ("deberta-v2", _DEBERTA),
    "deberta-v2 with convolution": ("deberta-v2", {**_DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu"}),
    "distilbert": (
        "distilbert",
        {**_TOKENS, "dim": WIDTH, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 32,
         "max_position_embeddings": POSITIONS},
    ),
    "electra": ("electra", {**_ENCODER, "embedding_size": 8}),
    "esm": ("esm", {**_ENCODER, "position_embedding_type": "rotary", "emb_layer_norm_before": False}),
    "falcon": ("falcon", _ENCODER),
    "fnet": ("fnet", _ENCODER),
    "gemma": ("gemma", _DECODER),
    "gemma2": ("gemma2", _WINDOW),
    "gemma3": ("gemma3_text", _WINDOW),
    "gpt-neo": (
        "gpt_neo",
        {**_TOKENS, "hidden_size": WIDTH, "num_layers": LAYERS, "num_heads": 2, "window_size": 8,
         "attention_types": [[["local"], LAYERS]], "max_position_embeddings": POSITIONS},
    ),
    "gpt-1": ("openai-gpt", _GPT),
    "gptj": ("gptj", {**_GPT, "rotary_dim": 4}),
    "llama, dynamic": ("llama", {**_DECODER, "max_position_embeddings": 16, "rope_parameters": _DYNAMIC}),
    "longformer": ("longformer", {**_ENCODER, "attention_window": 8}),
    "mistral": ("mistral", _WINDOW),
    "modernbert": ("modernbert", {**_ENCODER, "local_attention": 16, "cls_token_id": 0, "sep_token_id": 2}),
    "mpnet": ("mpnet", _ENCODER),
    "mpt": ("mpt", {**_TOKENS, "d_model": WIDTH, "n_layers": LAYERS, "n_heads": 2, "max_seq_len": POSITIONS}),
    "olmo3": ("olmo3", _WINDOW),
    "opt": ("opt", _OPT),
    "opt-350m": ("opt", {**_OPT, "word_embed_proj_dim": 8, "do_layer_norm_before": False}),
    "phi": ("phi", _ENCODER),
    "phi3, longrope": ("phi3", {**_DECODER, "rope_parameters": _LONG, "original_max_position_embeddings": 16}),
    "qwen3": ("qwen3", _DECODER),
    "roberta-prelayernorm": ("roberta-prelayernorm", _ENCODER),
    "rwkv": ("rwkv", {**_TOKENS, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "rescale_every": 0}),
    "xglm": ("xglm", {**_TOKENS, "d_model": WIDTH, "num_layers": LAYERS, "attention_heads": 2, "ffn_dim": 32,
                      "max_position_embeddings": POSITIONS}),
    "xmod": ("xmod", {**_ENCODER, "languages": ["en"], "default_language": "en"}),
}  # fmt: skip


def build(name: str, **options: Any) -> Any:
    """The base model, in evaluation mode, with weights so large that a wrong mask or norm shows."""
    kind, sizes = FAMILIES.get(name, (name, _ENCODER))
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **{**sizes, **options}))
    with torch.no_grad():
        for path, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(0.1 * torch.randn_like(weight))
            elif weight.ndim == 2 and "emb" not in path and "wte" not in path:
                weight.mul_(4)
    return model.eval()
