"""Anisotropy: how much the vectors of all texts point in the same direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfVectors
from tl_search.probe.measuring.spectrum import prepare

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class Anisotropy(OfVectors):
    """Mean cosine of two different texts' vectors, over all pairs (Ethayarajh, 2019, arXiv:1909.00512).

    The sum over pairs is computed from the sum of the unit vectors, so the cost is linear in texts. NaN for one text.

    Args:
        centre: Whether the mean vector is taken off first.

    Example:
        >>> import torch
        >>> round(Anisotropy().measure(torch.ones(3, 2)).item(), 6)
        1.0
    """

    centre: bool = False

    def measure(self, vectors: Float[Tensor, "*layer text width"]) -> Float[Tensor, "*layer"]:
        import torch

        texts = vectors.shape[-2]
        directions = prepare(vectors, self.centre, row_norm=True)
        if texts < 2:
            return torch.full(vectors.shape[:-2], math.nan, dtype=directions.dtype, device=directions.device)
        themselves = directions.square().sum((-2, -1))  # 1 for each vector, 0 for a vector of zeros
        return (directions.sum(-2).square().sum(-1) - themselves) / (texts * (texts - 1))
