"""What the callbacks of one training run share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.runs.layout import RunPaths
from tl_search.training.interrupts import Interrupts
from tl_search.training.saving import BackgroundWriter
from tl_search.training.timeline import Timeline

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class RunContext:
    """One training run, in one process.

    Args:
        folder: The run directory.
        timeline: What holds at each step.
        scheduled: Steps that have a revision.
        averaged: Whether revisions hold, and eval losses are measured on, the average of the weights.
        tokenizer: Saved with every model.
        settings: The run's settings as YAML, kept in every folder that the run writes.
        saves: Writes to the disk, in a thread or at once.
        interrupts: Whether somebody asked the run to stop.
    """

    folder: Path
    timeline: Timeline
    scheduled: frozenset[int]
    averaged: bool
    tokenizer: "PreTrainedTokenizerBase"
    settings: str
    saves: BackgroundWriter
    interrupts: Interrupts

    @property
    def paths(self) -> RunPaths:
        return RunPaths(self.folder)
