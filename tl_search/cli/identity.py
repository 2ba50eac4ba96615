"""A run's name on disk: a digest of what changes its results, so that the same command finds its own directory.

Alone, in a sweep, on a cluster, after a kill: `hydra.run.dir` and `hydra.sweep.subdir` both end in
`${tl.digest:COMMAND}`.
"""

import os
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.store.keys import digest

TRAINING = (
    "model", "tokenizer", "data", "schedule", "curriculum", "optimizer", "trainer", "callbacks", "seed",
    "save_interval", "eval_interval",
)  # fmt: skip
SEARCH = (
    "checkpoints", "sampling", "extraction", "probe", "tasks", "objective", "bandit", "costs", "stopping", "budget",
    "confirm", "seed",
)  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "train": TRAINING,
    "search": SEARCH,
    # `checkpoints` of such a run is the run that the training keys name; its path says nothing more.
    "run": tuple(dict.fromkeys((*TRAINING, *(key for key in SEARCH if key != "checkpoints")))),
}
# Top-level keys that may change without changing results: where and how, not what.
NOT_IDENTITY = {"hydra", "runs", "name", "logger", "ledger", "embeddings", "cache", "launchers", "experiments"}
GPU_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
# The same, wherever they stand below a key of identity.
NOT_IDENTITY_BELOW = {
    "accelerator", "devices", "num_nodes", "workers", "num_workers", "pin_memory", "prefetch", "progress",
    "enable_progress_bar", "enable_model_summary", "log_every_n_steps", "strategy", "profiler",
}  # fmt: skip


def identity(config: DictConfig, command: str) -> dict[str, Any]:
    """What makes a run of `command` this run, as plain values."""
    kept: dict[str, Any] = {
        key: OmegaConf.to_container(config[key], resolve=True) if OmegaConf.is_config(config[key]) else config[key]
        for key in KEYS[command]
        if key in config and not OmegaConf.is_missing(config, key)
    }
    if "extraction" in kept:
        accelerator = (kept.get("probe") or {}).get("accelerator", "auto")
        kept["extraction"]["dtype"] = _settled(kept["extraction"].get("dtype", "auto"), accelerator)
    return _without(kept)


def run_digest(config: DictConfig, command: str) -> str:
    return digest(identity(config, command), 8)


def _settled(dtype: str, accelerator: str) -> str:
    """What `extraction.dtype` means on this machine: `auto` would name different vectors on two of them."""
    if dtype != "auto" or not any(map(os.path.exists, GPU_DRIVERS)):
        return "float32" if dtype == "auto" else dtype  # no need to import torch, for seconds, to be told so
    from tl_search.plane.extraction import Extraction
    from tl_search.probe.config import settled

    return settled(Extraction(), accelerator).dtype.value


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without(item) for key, item in value.items() if key not in NOT_IDENTITY_BELOW}
    return [_without(item) for item in value] if isinstance(value, list) else value


OmegaConf.register_new_resolver("tl.digest", lambda command, *, _root_: run_digest(_root_, command), replace=True)
