"""The identity of a run: which settings of its command decide its files. Their digest is in its directory's name."""

import os
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli import commands
from tl_search.cli.config.allowlist import whole_numbers
from tl_search.cli.config.ancestry import KEY as BRANCH
from tl_search.cli.config.ancestry import POLICIES, ancestor
from tl_search.cli.config.plugged import KEY
from tl_search.cli.config.renamed import first_named
from tl_search.cli.config.tags import TAGS
from tl_search.plane.curriculum import placed
from tl_search.plane.readout import RAW
from tl_search.runs import trusted
from tl_search.runs.identity import Decides, decisions, named
from tl_search.store.keys import digest
from tl_search.training.trainer import FREE, device_count

# Callbacks that change no file but their own, by their names under `callbacks`; and the beginning of what they publish,
# by which another callback may decide something.
ONLOOKERS = {"progress": None, "plane_probe": "plane/", "representation_metrics": "metrics/"}
GPU_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def deciding_keys(command: str) -> tuple[str, ...]:
    """The top-level settings of a command that decide what its run leaves."""
    found = commands.find(command)
    fields = [name for cls in found.parts() for name, what in decisions(cls).items() if what is not Decides.free]
    return tuple(name for name in dict.fromkeys((*fields, *found.settings)) if name not in found.derived)


def known_keys(command: str) -> set[str]:
    """All top-level settings of a command."""
    found = commands.find(command)
    fields = {name for cls in found.parts() for name in decisions(cls)}
    common = {"hydra", "runs", "name", "resume", "launchers", "experiments", TAGS, KEY, trusted.KEY}
    return {*fields, *found.settings, *common, *found.places}


def identity(config: DictConfig, command: str) -> dict[str, Any]:
    """What makes a run of `command` this run, as plain values."""
    kept: dict[str, Any] = {
        key: OmegaConf.to_container(config[key], resolve=True) if OmegaConf.is_config(config[key]) else config[key]
        for key in deciding_keys(command)
        if key in config and not OmegaConf.is_missing(config, key)
    }
    if "extraction" in kept:
        accelerator = (kept.get("probe") or {}).get("accelerator", "auto")
        kept["extraction"]["dtype"] = _settled(kept["extraction"].get("dtype", "auto"), accelerator)
    if (kept.get("metrics") or {}).get("columns") in (None, "none"):
        kept.pop("metrics", None)  # how nothing is measured makes no difference
    if _only_raw(kept.get("readout")):
        kept.pop("readout")  # it is what was done before there were readouts, on no texts
    if kept.get(BRANCH) is None:
        kept = {key: value for key, value in kept.items() if key not in (BRANCH, POLICIES)}
    else:
        kept[BRANCH] = ancestor(str(kept[BRANCH]))
    if isinstance(kept.get("curriculum"), Mapping):
        kept["curriculum"] = placed(kept["curriculum"])
    if kept.get("callbacks"):
        kept["callbacks"] = _acting(kept["callbacks"])
    if kept.get("trainer"):
        kept["trainer"] = whole_numbers(kept["trainer"])
    counted = named(kept, {"lightning.pytorch.Trainer": set(FREE)})
    if (devices := device_count(kept.get("trainer") or {})) > 1:  # each reads a batch of its own
        counted["trainer"]["devices"] = devices
    return counted


def run_digest(config: DictConfig, command: str) -> str:
    """The end of the run directory's name: 8 hex digits."""
    return digest(first_named(identity(config, command)), 8)


def _settled(dtype: str, accelerator: str) -> str:
    """What `extraction.dtype` means on this machine: `auto` would name different vectors on two of them."""
    if dtype != "auto" or not any(map(os.path.exists, GPU_DRIVERS)):
        return "float32" if dtype == "auto" else dtype  # no need to import torch, for seconds, to be told so
    from tl_search.plane.extraction import Extraction
    from tl_search.probe.config import settled

    return settled(Extraction(), accelerator).dtype.value


def _only_raw(readout: Any) -> bool:
    entries = readout.get("entries") if isinstance(readout, Mapping) else None
    forms = {entry.get("form") for entry in entries.values() if isinstance(entry, Mapping)} if entries else set()
    return forms == {RAW.form.value}


def _acting(callbacks: Mapping[str, Any]) -> dict[str, Any]:
    """The callbacks that can change what a run leaves, such as which revision is its best."""
    entries = [entry for entry in callbacks.values() if isinstance(entry, Mapping)]
    monitors = [str(entry.get("monitor") or "") for entry in entries]
    idle = {
        name
        for name, published in ONLOOKERS.items()
        if published is None or not any(monitor.startswith(published) for monitor in monitors)
    }
    return {name: entry for name, entry in callbacks.items() if name not in idle}
