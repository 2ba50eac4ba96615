"""Reads `config.yaml`, the settings of a run. Which settings it holds, the command line decides."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.plane.revision import step_of
from tl_search.runs.layout import HEALED_BY, SETTINGS, RunPaths
from tl_search.runs.record import RunRecord
from tl_search.store.outside import yaml_text

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Without these no training is what it was; they are settings and entries of a record's plan alike.
_NEEDED = ("model", "tokenizer", "data", "optimizer", "trainer", "seed")


def read_settings(run: Path) -> "DictConfig":
    """The settings that are recorded in a run directory.

    Raises:
        ValueError: the file is missing or damaged, or has lost settings; the message names it and what heals it.
    """
    from omegaconf import DictConfig, OmegaConf

    path = RunPaths(run).config
    try:
        said = OmegaConf.load(io.StringIO(yaml_text(path)))
    except Exception as error:  # OmegaConf passes on whatever the YAML reader raises, which has no base of its own
        what = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({type(error).__name__})"
        raise ValueError(f"{path}: {what}; {_way(run)}") from error
    record = RunRecord.read(run)
    lost = [key for key in _needed(record) if key not in said]
    if not isinstance(said, DictConfig) or not said or lost:
        what = "it is empty" if not said else f"it has no {', '.join(lost)}" if lost else "it is no mapping of settings"
        raise ValueError(f"{path}: damaged ({what}); {_way(run)}")
    return said


def _needed(record: RunRecord | None) -> Sequence[str]:
    if record is not None and record.command == "search":
        return ("checkpoints",)
    return [key for key in _NEEDED if record is not None and record.plan is not None and key in record.plan]


def _way(run: Path) -> str:
    """What heals the file: every revision of a training has a copy of the settings."""
    found = {
        step: path
        for path in RunPaths(run).revisions.glob(f"*/{SETTINGS}")
        if (step := step_of(path.parent.name)) is not None
    }
    return f"copy {found[max(found)]} there" if found else HEALED_BY
