"""The model of the last column, kept for the next one: revisions of one run differ in nothing but their weights."""

from pathlib import Path

import torch

from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.loading import architecture, load_model, swap_weights
from tl_search.probe.module import Probe
from tl_search.store.keys import digest


class ModelCache:
    """Holds at most one probe, so that there are never two models in memory."""

    def __init__(self) -> None:
        self._probe: Probe | None = None
        self._architecture = ""  # digest of the model's config, its dtype and the extraction
        self._weights = ""  # digest of the weights that it holds, and of their folder

    def probe(self, revision: Revision, folder: Path, extraction: Extraction) -> Probe:
        """The kept probe with the revision's weights copied into it where they fit, else a new probe.

        A probe whose own weights proved nothing about their architecture (diverged ones, say) takes no other weights.

        Args:
            extraction: With a settled dtype, which the model gets.

        Raises:
            ValueError: the folder holds no model that can be probed.
        """
        dtype = getattr(torch, extraction.dtype.value)
        wanted = architecture(folder, dtype) + digest(extraction.identity())
        weights = digest([revision.weights, str(folder.resolve())])
        if self._probe is not None and self._architecture == wanted:
            if self._weights == weights:
                return self._probe
            self._weights = ""  # a copy that is interrupted leaves a mixture of both
            if self._probe.proven and swap_weights(self._probe.model, folder):
                self._weights = weights
                return self._probe
        self.drop()  # before the new one is loaded, so that two are never in memory
        self._probe = Probe(load_model(folder, dtype), extraction)
        self._architecture, self._weights = wanted, weights
        return self._probe

    def drop(self) -> None:
        """Free the model; the next column loads its own."""
        self._architecture, self._weights, self._probe = "", "", None
