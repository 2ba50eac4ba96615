"""Effective rank: how many dimensions the vectors of all texts use, not necessarily a whole number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfSpectrum, option
from tl_search.probe.measuring.spectrum import entropy

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class EffectiveRank(OfSpectrum):
    """The exponential of the entropy of the spectrum's shares, exp S₁ (Skean et al., 2025, arXiv:2502.02013).

    Args:
        centre: Whether the mean vector is taken off first.
        row_norm: Whether vectors are then scaled to unit length.
        spectrum: `eigen`, the eigenvalues σ² of ZZᵀ, which gives exp of the dataset entropy; or `singular`, the
            singular values σ of Z (Roy & Vetterli, 2007), which gives RankMe without ε.

    Example:
        >>> import torch
        >>> round(EffectiveRank().measure(torch.eye(5)).item(), 6)
        5.0
    """

    centre: bool = False
    row_norm: bool = False
    spectrum: str = option("eigen", words=("eigen", "singular"))

    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        return entropy(values.sqrt() if self.spectrum == "singular" else values).exp()
