"""A run's name on disk: a digest of what changes its results, so that the same command finds its own directory.

Alone, in a sweep, on a cluster, after a kill: `hydra.run.dir` and `hydra.sweep.subdir` both end in
`${tl.digest:COMMAND}`.
"""

import os
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.config.renamed import first_named
from tl_search.store.keys import digest
from tl_search.training.trainer import device_count

TRAINING = (
    "model", "tokenizer", "data", "schedule", "curriculum", "optimizer", "trainer", "callbacks", "seed",
    "checkpoint", "eval_interval", "ema_decay", "compile",
)  # fmt: skip
SEARCH = (
    "checkpoints", "sampling", "extraction", "probe", "tasks", "objective", "bandit", "costs", "stopping", "budget",
    "confirm", "metrics", "seed",
)  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "train": TRAINING,
    "search": SEARCH,
    "schedule": (*TRAINING, "horizon", "from", "output", "diff"),
    # `checkpoints` of such a run is the run that the training keys name; its path says nothing more.
    "run": tuple(dict.fromkeys((*TRAINING, *(key for key in SEARCH if key != "checkpoints")))),
}
# Top-level keys that may change without changing results: where and how, not what.
NOT_IDENTITY = {
    "hydra", "runs", "name", "resume", "lr_policy", "logger", "ledger", "embeddings", "cache", "launchers",
    "experiments",
}  # fmt: skip
GPU_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
# The same, wherever they stand below a key of identity.
NOT_IDENTITY_BELOW = {
    "accelerator", "devices", "num_nodes", "workers", "num_workers", "pin_memory", "prefetch", "progress",
    "asynchronous", "enable_progress_bar", "enable_model_summary", "log_every_n_steps", "strategy", "profiler",
    "ledger", "embeddings",
}  # fmt: skip
# Callbacks that only look on, by the beginning of what they publish; unless another one acts on that.
LOOKING_ON = {"plane_probe": "plane/", "representation_metrics": "metrics/"}


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
    if (kept.get("metrics") or {}).get("columns") in (None, "none"):
        kept.pop("metrics", None)  # how nothing is measured makes no difference
    if kept.get("callbacks"):
        kept["callbacks"] = _acting(kept["callbacks"])
    free = _without(kept)
    if (devices := device_count(kept.get("trainer") or {})) > 1:  # each reads a batch of its own
        free["trainer"]["devices"] = devices
    return free


def run_digest(config: DictConfig, command: str) -> str:
    return digest(first_named(identity(config, command)), 8)


def _settled(dtype: str, accelerator: str) -> str:
    """What `extraction.dtype` means on this machine: `auto` would name different vectors on two of them."""
    if dtype != "auto" or not any(map(os.path.exists, GPU_DRIVERS)):
        return "float32" if dtype == "auto" else dtype  # no need to import torch, for seconds, to be told so
    from tl_search.plane.extraction import Extraction
    from tl_search.probe.config import settled

    return settled(Extraction(), accelerator).dtype.value


def _acting(callbacks: Mapping[str, Any]) -> dict[str, Any]:
    """The callbacks that can change what a run leaves, such as which revision is its best."""
    entries = [entry for entry in callbacks.values() if isinstance(entry, Mapping)]
    watched = [str(entry.get("monitor") or "") for entry in entries]
    idle = {name for name, room in LOOKING_ON.items() if not any(monitor.startswith(room) for monitor in watched)}
    return {name: entry for name, entry in callbacks.items() if name not in idle}


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without(item) for key, item in value.items() if key not in NOT_IDENTITY_BELOW}
    return [_without(item) for item in value] if isinstance(value, list) else value


def run_folder(ordinary: str, config: DictConfig) -> str:
    """Where a training writes: its ordinary place, or the run that `resume` names by its path."""
    from tl_search.training.rewind import Target

    run = Target.parse(str(config.get("resume", "auto"))).run
    return ordinary if run is None else str(run.resolve())


OmegaConf.register_new_resolver("tl.run_folder", lambda ordinary, *, _root_: run_folder(ordinary, _root_), replace=True)
OmegaConf.register_new_resolver("tl.digest", lambda command, *, _root_: run_digest(_root_, command), replace=True)
