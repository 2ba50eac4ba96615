"""Where a training writes: its ordinary place, the run that `resume` names, or that of a branch, beside its parent."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.config.ancestry import parent_of
from tl_search.cli.config.folders import folder_name
from tl_search.cli.config.resumed import resumed
from tl_search.runs.target import Start


def run_folder(ordinary: str, config: DictConfig) -> str:
    """The run directory of a composed config."""
    run = Start.parse(str(config.get("resume", "auto"))).run
    if run is not None:
        return str(run.resolve())
    if parent_of(config) is None:
        return ordinary
    merged = resumed(config, config.hydra)  # Hydra knows only what it has composed, and not the parent's settings
    return str(Path(str(merged.runs), "train", folder_name(merged, "train", str(merged.name))).resolve())


OmegaConf.register_new_resolver("tl.run_folder", lambda ordinary, *, _root_: run_folder(ordinary, _root_), replace=True)
