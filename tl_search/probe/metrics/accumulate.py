"""How batches add up to a metric: a mean over prompts, or all vectors at once; and what several metrics share.

Every `update` takes any axes before its own (layers, mostly), and `compute` gives one number for each of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import Metric

from tl_search.probe.metrics.spectrum import eigenvalues, prepare

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers


class PromptMean(Metric, ABC):
    """The mean over prompts of something that each prompt's token states have; NaN leaves a prompt out."""

    full_state_update = False

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.total: Tensor
        self.prompts: Tensor
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("prompts", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def measure(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None
    ) -> Float[Tensor, "*layer text"]:
        """Of each prompt."""

    def update(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None = None
    ) -> None:
        """Add prompts; `lengths` are their real tokens, which come first (None: all are)."""
        values = self.measure(states, lengths)
        known = ~values.isnan()
        self.total = self.total + values.masked_fill(~known, 0.0).sum(-1)
        self.prompts = self.prompts + known.sum(-1)

    def compute(self) -> Float[Tensor, "*layer"]:
        return self.total / self.prompts


class Pooled(Metric, ABC):
    """A property of all texts' vectors together, which are therefore kept until it is computed."""

    full_state_update = False

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.kept: list[Tensor]
        self.add_state("kept", [], dist_reduce_fx="cat")  # processes are joined along the first axis: texts

    @abstractmethod
    def measure(self, vectors: Any) -> Float[Tensor, "*layer"]:
        """Of all of them."""

    def update(self, vectors: Float[Tensor, "*layer text width"]) -> None:
        """Add texts."""
        self.kept.append(vectors.movedim(-2, 0))

    def compute(self) -> Float[Tensor, "*layer"]:
        return self.measure(self._all().movedim(0, -2))

    def _all(self) -> Tensor:
        return self.kept if isinstance(self.kept, Tensor) else torch.cat(self.kept)  # joined processes: one tensor


class Spectral(Pooled, ABC):
    """A property of the spectrum of all texts' vectors, which metrics of one preparation can share."""

    @property
    def preparation(self) -> tuple[bool, bool]:
        """Whether vectors are centred, and whether they are scaled to unit length."""
        return self.options.get("centre", False), self.options.get("row_norm", False)

    @abstractmethod
    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        """Of the Gram matrix's eigenvalues."""

    def measure(self, vectors: Float[Tensor, "*layer text width"]) -> Float[Tensor, "*layer"]:
        texts, width = vectors.shape[-2:]
        return self.of_spectrum(eigenvalues(prepare(vectors, *self.preparation)), texts, width)


class MatrixEntropy(Metric):
    """The options of the two metrics that are a matrix-based entropy."""

    def __init__(
        self, alpha: float = 1.0, centre: bool = False, row_norm: bool = False, normalisation: str = "raw"
    ) -> None:
        super().__init__(alpha=alpha, centre=centre, row_norm=row_norm, normalisation=normalisation)


class Views(Pooled, ABC):
    """The same of texts in several views each."""

    def update(self, views: Float[Tensor, "*layer text view width"]) -> None:
        """Add texts."""
        self.kept.append(views.movedim(-3, 0))

    def compute(self) -> Float[Tensor, "*layer"]:
        return self.measure(self._all().movedim(0, -3))
