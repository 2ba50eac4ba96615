"""How batches add up to a metric: a mean over prompts, or all vectors at once.

Every `update` takes any axes before its own (layers, mostly), and `compute` gives one number for each of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import Metric

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


class Views(Pooled, ABC):
    """The same of texts in several views each."""

    def update(self, views: Float[Tensor, "*layer text view width"]) -> None:
        """Add texts."""
        self.kept.append(views.movedim(-3, 0))

    def compute(self) -> Float[Tensor, "*layer"]:
        return self.measure(self._all().movedim(0, -3))
