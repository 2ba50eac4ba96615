"""One device's part of a column: everything that it must know, small enough to be sent to another process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tl_search.plane.extraction import Extraction
from tl_search.plane.revision import Revision
from tl_search.probe import batching, packing
from tl_search.probe.config import ProbeConfig
from tl_search.probe.kept import kept_probe
from tl_search.probe.observe import Observer
from tl_search.probe.predict import predict
from tl_search.probe.proof import pad_id
from tl_search.probe.tokens import Tokens
from tl_search.store.arrays import ArrayLocation


@dataclass(frozen=True)
class Work:
    """The pass of a column.

    Args:
        revision: Whose weights lie in `folder`.
        folder: A loadable model.
        extraction: With a settled dtype.
        config: Which devices.
        layers: The wanted ones, upwards.
        packed: Whether texts stand end to end: decided once, or devices might not agree on the batches.
    """

    revision: Revision
    folder: Path
    extraction: Extraction
    config: ProbeConfig
    layers: Sequence[int]
    packed: bool

    def run(
        self,
        tokens: Tokens,
        column: Sequence[np.ndarray],
        rank: int = 0,
        observers: Sequence[Observer] = (),
        heed: Callable[[], None] = lambda: None,
    ) -> int:
        """Write this rank's share of the texts into the column; returns how many they are."""
        probe = kept_probe(self.revision, self.folder, self.extraction)
        probe.layers, probe.observers = self.layers, observers
        rows, pad = tokens.rows, None if self.packed else pad_id(probe.model)
        if self.packed:
            packing.register()  # these weights may have given this process no cause to

        def batches(on_cpu: bool) -> batching.Batches:
            return batching.Batches(rows, self.config.tokens_per_batch or batching.default_budget(on_cpu), pad)

        return predict(probe, batches, column, self.config, rank, heed)


@dataclass(frozen=True)
class Sent:
    """The work as another process gets it, with where the tokens are and where the vectors go."""

    work: Work
    ids: ArrayLocation | np.ndarray
    lengths: ArrayLocation | np.ndarray
    column: Sequence[ArrayLocation]

    @classmethod
    def of(cls, work: Work, tokens: Tokens, column: Sequence[np.memmap]) -> "Sent":
        """Tokens that lie in a file are not sent either."""
        ids, lengths = map(_sent, (tokens.ids, tokens.lengths))
        return cls(work, ids, lengths, list(map(ArrayLocation.of, column)))

    def __call__(self, rank: int) -> int:
        ids, lengths = (part.map("r") if isinstance(part, ArrayLocation) else part for part in (self.ids, self.lengths))
        return self.work.run(Tokens(ids, lengths, 0), [place.map() for place in self.column], rank)


def _sent(array: np.ndarray) -> ArrayLocation | np.ndarray:
    return ArrayLocation.of(array) if isinstance(array, np.memmap) else array
