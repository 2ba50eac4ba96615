"""A revision's folder to a model in memory.

Revisions of one run share everything but their numbers, so the last model is kept and the next revision's weights
are copied into it from the memory-mapped file: several times quicker than building a model anew.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from tl_search.probe.quiet import quiet
from tl_search.store.atomic import read_json
from tl_search.store.keys import digest

# Their first position is the padding token's id + 1, and the table is that much longer.
_COUNT_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "data2vec-text")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a revision's folder. Raises ValueError naming the folder when there is none that loads."""
    from transformers import AutoTokenizer

    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(f"{folder}: its tokenizer does not load ({_first_line(error)})") from error


def architecture(folder: Path, dtype: torch.dtype) -> str:
    """Equal for two folders exactly when one model object can hold the weights of either."""
    config = read_json(folder / "config.json")
    for key in ("transformers_version", "_name_or_path"):
        config.pop(key, None)
    return digest({"config": config, "dtype": str(dtype)})


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """The base model (no head) with the folder's weights, in evaluation mode, on the CPU.

    The weights get their dtype here and not from the Trainer's precision, which would also round the model's tables
    of rotary frequencies.

    Raises:
        ValueError: the folder cannot be read as a model, or lacks some of its weights.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel

    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            config._attn_implementation = None  # a file must not choose what code computes attention
            model, found = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                output_loading_info=True,
                local_files_only=True,
                trust_remote_code=False,
                weights_only=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ValueError(f"{folder}: does not load as a transformers model ({_first_line(error)})") from error
    missing = sorted(name for name in found["missing_keys"] if not _unused(name))
    if missing:
        raise ValueError(f"{folder}: lacks {len(missing)} weights of its model, {missing[0]} among them")
    return model.eval()


@torch.no_grad()
def swap_weights(model: Any, folder: Path) -> bool:
    """Copy the folder's weights into the model; False, with the model untouched, when they do not fit one to one."""
    from safetensors import SafetensorError, safe_open

    file = folder / "model.safetensors"
    if not file.is_file():
        return False
    own = {name: tensor for name, tensor in model.state_dict().items() if not _unused(name)}
    prefix = f"{model.base_model_prefix}."
    with ExitStack() as stack:
        try:
            stored = stack.enter_context(safe_open(file, framework="pt"))
        except SafetensorError as error:
            raise ValueError(f"{file}: damaged ({_first_line(error)})") from error
        names = {name.removeprefix(prefix): name for name in stored.keys()}  # noqa: SIM118  (not a mapping)
        if not own.keys() <= names.keys():
            return False
        if any(list(tensor.shape) != stored.get_slice(names[name]).get_shape() for name, tensor in own.items()):
            return False
        for name, tensor in own.items():
            tensor.copy_(stored.get_tensor(names[name]))
    return True


def position_limit(model: Any) -> int | None:
    """How many positions the model has, where it looks them up in a learned table; None when it computes them."""
    tables = ("position_embeddings", "wpe", "embed_positions")
    learned = any(
        isinstance(module, torch.nn.Embedding) and name.rpartition(".")[2] in tables
        for name, module in model.named_modules()
    )
    if not learned:
        return None
    pad = model.config.pad_token_id if model.config.model_type in _COUNT_FROM_PADDING else None
    return model.config.max_position_embeddings - (0 if pad is None else pad + 1)


def _unused(name: str) -> bool:
    """A pooler hangs behind the last block: no layer's state depends on it."""
    return name.startswith("pooler.")


def _first_line(error: Exception) -> str:
    return json.dumps(str(error).strip().partition("\n")[0] or type(error).__name__, ensure_ascii=False).strip('"')
