"""Loads a revision's tokenizer and model from its folder, or copies its weights into a model that is loaded already.

Revisions of one run differ in their weights alone, and copying weights from the memory-mapped file is several times
faster than building a new model.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from tl_search.checkpoints.source import text_model
from tl_search.probe.quiet import quiet
from tl_search.runs import pretrained
from tl_search.runs.digests import CONFIG, COPY, INDEXES, SAFETENSORS, weight_files
from tl_search.runs.model_files import first_line, loading
from tl_search.store.keys import digest
from tl_search.store.typed_json import read_mapping

log = logging.getLogger(__name__)

_INDEX = INDEXES[".safetensors"]


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a revision's folder; warns when it has fewer than half as many tokens as the model.

    Raises:
        ValueError: no tokenizer loads, or its vocabulary is larger than the model's.
    """
    try:
        with quiet():
            tokenizer = pretrained.load_tokenizer(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises it as it is; another one, what wrong shapes lead to
        raise ValueError(f"{folder}: its tokenizer does not load ({first_line(error)})") from error
    config = read_mapping(folder / CONFIG, COPY)
    size = config.get("vocab_size", (config.get("text_config") or {}).get("vocab_size"))
    if isinstance(size, int):
        # only the vocabulary itself must fit: added tokens may have no row in the model's table, and few texts use them
        if tokenizer.vocab_size > size:
            last = tokenizer.vocab_size - 1
            raise ValueError(f"{folder}: its tokenizer gives token {last}, but the model has only {size}")
        if len(tokenizer) < size / 2:
            said = "%s: its tokenizer has %d tokens and the model %d; it may be another model's"
            log.warning(said, folder, len(tokenizer), size)
    return tokenizer


def architecture(folder: Path, dtype: torch.dtype) -> str:
    """A digest that two folders share exactly when one model object can hold the weights of either."""
    config = read_mapping(folder / CONFIG, COPY)
    for key in ("transformers_version", "_name_or_path"):
        config.pop(key, None)
    return digest({"config": config, "dtype": str(dtype)})


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """The base model (no head, no part for images) with the folder's weights, in evaluation mode, on the CPU.

    Args:
        dtype: Of the weights. The Trainer's precision would also round the model's tables of rotary frequencies.

    Raises:
        ValueError: the folder cannot be read as a model, or lacks some of the model's weights.
    """
    with loading(folder), quiet():
        config = pretrained.load_config(folder, local_files_only=True)
        if hasattr(config, "rescale_every"):
            config.rescale_every = 0  # RWKV would halve its weights in place, but not those copied in later
        model, found = pretrained.load_model(
            folder, config=config, dtype=dtype, output_loading_info=True, local_files_only=True
        )
    missing = sorted(name for name in found["missing_keys"] if not _unused(name))
    if missing:
        raise ValueError(f"{folder}: lacks {len(missing)} weights of its model, {missing[0]} among them")
    try:
        model = text_model(model)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    _own(model)
    return model.eval()


def _own(model: torch.nn.Module) -> None:
    """Copy the tensors that are views of the weights' file, one at a time.

    Otherwise a kept model would change when its file does, and the process would die of SIGBUS when the file is cut.
    """
    for tensor in (*model.parameters(), *model.buffers()):  # tied weights are one tensor, listed once
        if not tensor.untyped_storage().resizable():  # memory that torch did not allocate
            tensor.data = tensor.data.clone()


@torch.no_grad()
def swap_weights(model: Any, folder: Path) -> bool:
    """Copy the folder's weights, from one file or from shards, into the model.

    Returns:
        Whether names and shapes fit one to one; otherwise the model is left as it is.

    Raises:
        ValueError: a file is damaged.
    """
    files = _files(folder)
    if not files:
        return False
    own = {name: tensor for name, tensor in model.state_dict().items() if not _unused(name)}
    prefix = f"{model.base_model_prefix}."
    with ExitStack() as stack:
        stored: dict[str, tuple[Any, str]] = {}  # name in the model → where, and under which name
        for file in files:
            opened = _opened(file, stack)
            stored |= {name.removeprefix(prefix): (opened, name) for name in opened.keys()}  # noqa: SIM118  (no mapping)
        if not own.keys() <= stored.keys():
            return False
        for name, tensor in own.items():
            there, key = stored[name]
            if list(tensor.shape) != there.get_slice(key).get_shape():
                return False
        for name, tensor in own.items():
            there, key = stored[name]
            tensor.copy_(there.get_tensor(key))
    return True


def _files(folder: Path) -> list[Path]:
    """The safetensors files from which transformers loads a folder's model: one, or the shards that the index names.

    Empty if there are no such files, or if the index names others.
    """
    if (folder / SAFETENSORS).is_file():
        return [folder / SAFETENSORS]
    if not (folder / _INDEX).is_file():
        return []
    named = set(_of_mapping(read_mapping(folder / _INDEX, COPY).get("weight_map")))
    there = weight_files(path.name for path in folder.iterdir())
    return [folder / name for name in sorted(named)] if named <= set(there) else []


def _of_mapping(value: object) -> Iterable[str]:
    return map(str, value.values()) if isinstance(value, Mapping) else ()


def _opened(file: Path, stack: ExitStack) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return stack.enter_context(safe_open(file, framework="pt"))
    except SafetensorError as error:
        raise ValueError(f"{file}: damaged ({first_line(error)})") from error


def _unused(name: str) -> bool:
    """Whether a weight is of a pooler, which follows the last block: no layer's states depend on it."""
    return name.startswith("pooler.")
