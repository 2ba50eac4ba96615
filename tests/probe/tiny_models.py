"""Real models and a real tokenizer, small and random; their norms are perturbed so that a forgotten norm shows."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SIZES = {"vocab_size": 260, "hidden_size": 16, "num_hidden_layers": 3}
HEADS = {"num_attention_heads": 2, "intermediate_size": 32}

# name → (config, options, path of the final norm)
FAMILIES: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "gpt_neox": ("GPTNeoXConfig", {**SIZES, **HEADS, "eos_token_id": 2}, "final_layer_norm"),
    "llama": ("LlamaConfig", {**SIZES, **HEADS, "num_key_value_heads": 1}, "norm"),
    "olmo2": ("Olmo2Config", {**SIZES, **HEADS, "pad_token_id": 1, "eos_token_id": 2}, "norm"),
    "gpt2": (
        "GPT2Config",
        {"vocab_size": 260, "n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 64, "bos_token_id": 0,
         "eos_token_id": 2},
        "ln_f",
    ),
    "bert": ("BertConfig", {**SIZES, **HEADS, "max_position_embeddings": 64}, None),
    "mamba": ("MambaConfig", {**SIZES, "state_size": 4}, "norm_f"),
    "qwen3": ("Qwen3Config", {**SIZES, **HEADS, "num_key_value_heads": 1, "head_dim": 8}, "norm"),
    "roberta": ("RobertaConfig", {**SIZES, **HEADS, "max_position_embeddings": 66}, None),
    "mistral": (
        "MistralConfig", {**SIZES, **HEADS, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 4}, "norm"
    ),
    "rwkv": ("RwkvConfig", {**SIZES, "attention_hidden_size": 16, "rescale_every": 1}, "ln_out"),
    "t5": ("T5Config", {"vocab_size": 260, "d_model": 16, "num_layers": 2, "num_heads": 2, "d_ff": 32}, None),
}  # fmt: skip


def make(folder: Path, family: str = "gpt_neox", seed: int = 0, begins: bool = False, **options: Any) -> Path:
    """A loadable folder: config.json, model.safetensors and a tokenizer of bytes that adds a BOS when `begins`."""
    kind, sizes, _ = FAMILIES[family]
    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(getattr(transformers, kind)(**{**sizes, **options}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.randn_like(weight))
            elif family != "mamba" and "embed" not in name and "wte" not in name:
                weight.mul_(8)  # fresh weights are so small that blocks would hardly change their input
    transformers.logging.disable_progress_bar()
    model.save_pretrained(folder)
    save_tokenizer(folder, begins)
    return folder


def make_nested(folder: Path, seed: int = 0) -> Path:
    """A model like Gemma 3, which also reads images: its config nests that of the text model, `text_config`."""
    torch.manual_seed(seed)
    image = {"num_attention_heads": 2, "intermediate_size": 16, "image_size": 16, "patch_size": 8}
    config = transformers.Gemma3Config(
        text_config={**SIZES, **HEADS, "num_key_value_heads": 1, "head_dim": 8},
        vision_config={"hidden_size": 8, "num_hidden_layers": 3, **image},  # as many blocks as the text model has
        mm_tokens_per_image=4,
    )
    model = transformers.AutoModelForImageTextToText.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def in_shards(folder: Path) -> list[Path]:
    """Save the model of a folder again, in several files with weights, which are returned."""
    model = transformers.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="16KB")
    return sorted(folder.glob("model-*.safetensors"))


def save_tokenizer(folder: Path, begins: bool = False, ends: bool = False) -> None:
    """One that `ends` texts does so with the token that could begin them, as some GPT tokenizers do."""
    names = ["<s>", "<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
        )
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A <s>", pair="$A $B <s>", special_tokens=[("<s>", 0)]
        )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(folder)


@cache
def load(folder: Path) -> tuple[Any, Any]:
    """The library's own model and tokenizer, to compare with."""
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def hidden_states(folder: Path, text: str) -> list[torch.Tensor]:
    """States (token, width) at layers 0..L as Hugging Face gives them, of one text alone."""
    model, tokenizer = load(folder)
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        states = model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
        if model.config.model_type == "mamba":  # which leaves the embeddings out and adds the last state twice
            states = [model.get_input_embeddings()(ids), *states[:-2], states[-1]]
    return [state[0] for state in states]
