"""Measuring a model in training without disturbing it: random numbers are restored, and few messages are logged."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from tl_search.errors.secrets import redact
from tl_search.plane.revision import Revision
from tl_search.runs.index import read_index
from tl_search.scoring.randomness import undisturbed_randomness

# What a search says of every step of its work is too much between training's lines; a failure is said once per column.
_HUSHED = {
    "tl_search.search.column": logging.ERROR,
    "tl_search.search.measure": logging.ERROR,
    "tl_search.probe": logging.WARNING,
}

_LISTED = 20  # steps that one line names


@contextmanager
def unnoticed(trainer: Trainer) -> Iterator[None]:
    """Within the block, random number generators are restored afterwards, and only important messages are logged."""
    root = trainer.strategy.root_device
    before = {name: logging.getLogger(name).level for name in _HUSHED}
    for name, level in _HUSHED.items():
        logging.getLogger(name).setLevel(level)
    try:
        # the probe's own Trainer makes its device the process's current one
        with undisturbed_randomness(), torch.cuda.device(root) if root.type == "cuda" else nullcontext():
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def monitored(callbacks: Iterable[Any], noun: str) -> list[str]:
    """The measurements with names `noun/…` that a callback monitors."""
    names = {str(getattr(getattr(one, "config", one), "monitor", "")) for one in callbacks}
    return sorted(name for name in names if name.startswith(f"{noun}/"))


def indexed(run: Path) -> dict[int, Revision]:
    """The revisions in the run's index, by step; empty if the index cannot be read."""
    try:
        return {line.step: line.revision for line in read_index(run)}
    except (OSError, ValueError):
        return {}


def sentence(error: Exception) -> str:
    """An error in one line; an error of a library begins with its type."""
    text = redact(" ".join(str(error).split()))
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"[:300]


def listed(steps: Sequence[int]) -> str:
    """Steps as text, with thousands separators; of a long list only the first ones."""
    shown = ", ".join(f"{step:,}" for step in steps[:_LISTED])
    return shown if len(steps) <= _LISTED else f"{shown}, … ({len(steps):,} steps)"
