"""What a revision's files hold, as two digests: what decides the model's output, and what decides its tokens.

They are computed from the sha256 of files, so that a source which knows those without having the files (the Hub
lists them) gives a revision the same identity as the folder that it becomes.
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

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER = (
    "tokenizer.json",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
)

# Names of weights' files, whole or in shards; of the two kinds one is read, never both.
_SHARD = r"(-\d+-of-\d+)?"
_WEIGHTS = (rf"model{_SHARD}\.safetensors", rf"pytorch_model{_SHARD}\.bin")

# Said by whoever wrote a file, not by the model: two revisions that differ only here are one.
_WRITER = frozenset({"transformers_version", "_name_or_path", "name_or_path"})


def weight_files(names: Iterable[str]) -> tuple[str, ...]:
    """Of a folder's files, those that hold the weights: safetensors where there are any, else .bin."""
    ordered = sorted(names)
    for pattern in _WEIGHTS:
        found = tuple(name for name in ordered if re.fullmatch(pattern, name))
        if found:
            return found
    return ()


def weights_digest(files: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """Of the weights' files (name → sha256) and the content of config.json."""
    return digest([*(files[name] for name in sorted(files)), _without_writer(config)], 64)


def tokenizer_digest(files: Mapping[str, str], config: Mapping[str, Any] | None) -> str:
    """Of the tokenizer's files (name → sha256) and the content of tokenizer_config.json."""
    total = hashlib.sha256()
    for name in TOKENIZER:
        if name == TOKENIZER_CONFIG and config is not None:
            plain = json.dumps(_without_writer(config), sort_keys=True)
            total.update(f"{name}\0{hashlib.sha256(plain.encode()).hexdigest()}\0".encode())
        elif name in files:
            total.update(f"{name}\0{files[name]}\0".encode())
    return total.hexdigest()


def folder_digests(folder: Path, known: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The digests (weights, tokenizer) of a loadable folder.

    Args:
        folder: With config.json, weights and tokenizer.
        known: File → sha256, where they were computed already; by default the files are read.

    Raises:
        ValueError: it has no config.json or no weights; the message names the folder.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    weights = weight_files(names)
    if CONFIG not in names or not weights:
        raise ValueError(f"{folder}: holds no loadable model (it needs {CONFIG} and model.safetensors)")
    sha256 = known or {name: file_digest(folder / name) for name in names & {*weights, *TOKENIZER}}
    return (
        weights_digest({name: sha256[name] for name in weights}, read_json(folder / CONFIG)),
        tokenizer_digest(
            {name: sha256[name] for name in TOKENIZER if name in names},
            read_json(folder / TOKENIZER_CONFIG) if TOKENIZER_CONFIG in names else None,
        ),
    )


def _without_writer(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _WRITER}
