"""Two digests identify a revision: one of what determines the model's output, one of what determines its tokens.

They are computed from the sha256 of files. So a source that knows these without having the files, such as the Hub,
gives a revision the same digests as the folder into which it is downloaded.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tl_search.store.atomic import read_json
from tl_search.store.keys import digest
from tl_search.store.manifest import file_digest
from tl_search.store.typed_json import read_mapping

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER = (
    "tokenizer.json", TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "vocab.txt", "tokenizer.model", "spiece.model",
)  # fmt: skip

COPY = "copy the model there again"  # what heals a damaged file of a model, as messages say it

# The names of files with weights, in one file or in shards; only one of the two formats is read.
_SHARD = r"(-\d+-of-\d+)?"
SAFETENSORS = "model.safetensors"
# By the end of their names: the file that says in which shard each weight is.
INDEXES = {".safetensors": f"{SAFETENSORS}.index.json", ".bin": "pytorch_model.bin.index.json"}
_WEIGHTS = (rf"model{_SHARD}\.safetensors", rf"pytorch_model{_SHARD}\.bin")

# Keys of configs that depend on the program that saved the model; they are not part of the digests.
_WRITER = frozenset({"transformers_version", "_name_or_path", "name_or_path"})


def weight_files(names: Iterable[str]) -> tuple[str, ...]:
    """Those of a folder's files that contain the weights: safetensors if there are any, else .bin."""
    ordered = sorted(names)
    for pattern in _WEIGHTS:
        found = tuple(name for name in ordered if re.fullmatch(pattern, name))
        if found:
            return found
    return ()


def weights_digest(files: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """The digest of weights: of their files (name → sha256) and of the content of config.json; 64 hex digits."""
    return digest([*(files[name] for name in sorted(files)), without_writer(config)], 64)


def tokenizer_digest(files: Mapping[str, str], config: Mapping[str, Any] | None) -> str:
    """The digest of a tokenizer: of its files (name → sha256) and of the content of tokenizer_config.json."""
    total = hashlib.sha256()
    for name in TOKENIZER:
        if name == TOKENIZER_CONFIG and config is not None:
            plain = json.dumps(without_writer(config), sort_keys=True)
            total.update(f"{name}\0{hashlib.sha256(plain.encode()).hexdigest()}\0".encode())
        elif name in files:
            total.update(f"{name}\0{files[name]}\0".encode())
    return total.hexdigest()


def is_model(folder: Path) -> bool:
    """Whether a folder has a config.json and weights."""
    names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    return CONFIG in names and bool(weight_files(names))


def has_settings(folder: Path) -> bool:
    """Whether the configs of the model in a folder can be read."""
    files = [folder / name for name in (CONFIG, TOKENIZER_CONFIG) if (folder / name).exists()]
    try:
        return all(isinstance(read_json(file), dict) for file in files)
    except ValueError:
        return False


def folder_digests(folder: Path, known: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The digests (weights, tokenizer) of a model in a folder.

    Args:
        folder: A folder with config.json, weights and tokenizer.
        known: File → sha256, if they are known already; otherwise the files are read.

    Raises:
        ValueError: it has no config.json or no weights; the message names the folder.
    """
    if not is_model(folder):
        raise ValueError(f"{folder}: holds no loadable model (it needs {CONFIG} and model.safetensors)")
    names = {path.name for path in folder.iterdir() if path.is_file()}
    weights = weight_files(names)
    sha256 = known or {name: file_digest(folder / name) for name in names & {*weights, *TOKENIZER}}
    return (
        weights_digest({name: sha256[name] for name in weights}, read_mapping(folder / CONFIG, COPY)),
        tokenizer_digest(
            {name: sha256[name] for name in TOKENIZER if name in names},
            read_mapping(folder / TOKENIZER_CONFIG, COPY) if TOKENIZER_CONFIG in names else None,
        ),
    )


def without_writer(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without the keys that only tell which program saved it."""
    return {key: value for key, value in config.items() if key not in _WRITER}
