"""One device's share of a column: all that it must know, small enough to be sent to another process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.probe import batching, packing
from tl_search.probe.config import ProbeConfig
from tl_search.probe.model_cache import ModelCache
from tl_search.probe.observers import Observer
from tl_search.probe.predict import predict
from tl_search.probe.proof import pad_id
from tl_search.probe.tokens import Tokens
from tl_search.store.arrays import ArrayLocation


@dataclass(frozen=True)
class Work:
    """The pass of a column.

    Args:
        extraction: With a settled dtype.
        layers: The wanted ones, rising.
        packed: Whether texts stand end to end. Decided once for all devices, which must agree on the batches.
    """

    revision: Revision
    folder: Path
    extraction: Extraction
    config: ProbeConfig
    layers: Sequence[int]
    packed: bool

    def run(
        self,
        models: ModelCache,
        tokens: Tokens,
        column: Sequence[np.ndarray],
        rank: int = 0,
        observers: Sequence[Observer] = (),
        after_batch: Callable[[], None] = lambda: None,
    ) -> int:
        """Write the vectors of this rank's share of the texts into the column; returns how many texts these are.

        Args:
            models: Of this process.
            tokens: Of all texts.
            column, after_batch: As for `predict`.
            rank: Which device computes.
            observers: Are shown the token states of every wanted layer.
        """
        probe = models.probe(self.revision, self.folder, self.extraction)
        probe.layers, probe.observers = self.layers, observers
        rows, pad = tokens.rows, None if self.packed else pad_id(probe.model)
        if self.packed:
            packing.register()  # these weights may not have been packed in this process so far

        def batches(on_cpu: bool) -> batching.Batches:
            return batching.Batches(rows, self.config.tokens_per_batch or batching.default_budget(on_cpu), pad)

        return predict(probe, batches, column, self.config, rank, after_batch)


@dataclass(frozen=True)
class Sent:
    """The work as it is sent to another process, with the places of the tokens and of the vectors in their files."""

    work: Work
    ids: ArrayLocation | np.ndarray
    lengths: ArrayLocation | np.ndarray
    column: Sequence[ArrayLocation]

    @classmethod
    def of(cls, work: Work, tokens: Tokens, column: Sequence[np.memmap]) -> "Sent":
        """Tokens that lie in a file are sent as their place in it."""
        ids, lengths = map(_sent, (tokens.ids, tokens.lengths))
        return cls(work, ids, lengths, list(map(ArrayLocation.of, column)))

    def __call__(self, rank: int, models: ModelCache) -> int:
        ids, lengths = (part.map("r") if isinstance(part, ArrayLocation) else part for part in (self.ids, self.lengths))
        return self.work.run(models, Tokens(ids, lengths, 0), [place.map() for place in self.column], rank)


def _sent(array: np.ndarray) -> ArrayLocation | np.ndarray:
    return ArrayLocation.of(array) if isinstance(array, np.memmap) else array
