"""A metric over batches of texts: `torchmetrics.Metric`s for who measures while texts still arrive.

Every `update` takes any axes before its own (layers, mostly), and `compute` gives one number for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torchmetrics
from torch import Tensor

from tl_search.probe.measuring.metric import Metric, OfTokens, OfViews

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers


def accumulated(metric: Metric) -> PromptMean | Gathered:
    """A metric's value over batches."""
    return PromptMean(metric) if isinstance(metric, OfTokens) else Gathered(metric)


class _Accumulated(torchmetrics.Metric):
    full_state_update = False
    is_differentiable = True

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]  # a class attribute there
        return self.metric.higher_is_better

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self.metric = metric


class PromptMean(_Accumulated):
    """The mean over prompts of what a metric measures of each prompt's token states; NaN leaves a prompt out."""

    metric: OfTokens

    def __init__(self, metric: OfTokens) -> None:
        super().__init__(metric)
        self.total: Tensor
        self.prompts: Tensor
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("prompts", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None = None
    ) -> None:
        """Add prompts; `lengths` are their real tokens, which come first (None: all are)."""
        values = self.metric.measure(states, lengths)
        known = ~values.isnan()
        self.total = self.total + values.masked_fill(~known, 0.0).sum(-1)
        self.prompts = self.prompts + known.sum(-1)

    def compute(self) -> Float[Tensor, "*layer"]:
        return self.total / self.prompts


class Gathered(_Accumulated):
    """What a metric measures of the vectors of all texts together, which are therefore kept until it is computed."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self.axis = -3 if isinstance(metric, OfViews) else -2  # of texts
        self.kept: list[Tensor]
        self.add_state("kept", [], dist_reduce_fx="cat")  # processes are joined along the first axis: texts

    def update(self, vectors: Float[Tensor, "*layer text width"] | Float[Tensor, "*layer text view width"]) -> None:
        """Add texts."""
        self.kept.append(vectors.movedim(self.axis, 0))

    def compute(self) -> Float[Tensor, "*layer"]:
        joined = self.kept if isinstance(self.kept, Tensor) else torch.cat(self.kept)  # of several processes: a tensor
        return self.metric.measure(joined.movedim(0, self.axis))
