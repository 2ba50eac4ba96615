"""The model of the last column, kept for the next: of one run's revisions all but the numbers is the same."""

from dataclasses import dataclass
from pathlib import Path

import torch

from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.loading import architecture, load_model, swap_weights
from tl_search.probe.module import Probe
from tl_search.store.keys import digest


@dataclass
class _Kept:
    architecture: str = ""
    weights: str = ""
    probe: Probe | None = None


_kept = _Kept()


def kept_probe(revision: Revision, folder: Path, extraction: Extraction) -> Probe:
    """The kept probe with this folder's weights where they fit into it, else a new one.

    A probe that its own weights could not prove (diverged ones, say) serves no others.

    Raises:
        ValueError: the folder holds no model that the probe knows.
    """
    dtype = getattr(torch, extraction.dtype.value)
    wanted = architecture(folder, dtype) + digest(extraction.identity())
    weights = digest([revision.weights, str(folder.resolve())])
    if _kept.probe is not None and _kept.architecture == wanted:
        if _kept.weights == weights:
            return _kept.probe
        _kept.weights = ""  # until all are copied, the model is neither the one nor the other
        if _kept.probe.proven and swap_weights(_kept.probe.model, folder):
            _kept.weights = weights
            return _kept.probe
    forget()  # first, or two models would be in memory at once
    _kept.probe = Probe(load_model(folder, dtype), extraction)
    _kept.architecture, _kept.weights = wanted, weights
    return _kept.probe


def forget() -> None:
    """Let the model go."""
    _kept.architecture, _kept.weights, _kept.probe = "", "", None
