"""Dataset entropy: over how many directions the vectors of all texts are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import MatrixEntropy, OfSpectrum
from tl_search.probe.measuring.spectrum import entropy, scaled

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class DatasetEntropy(MatrixEntropy, OfSpectrum):
    """Matrix-based entropy S_α of K = ZZᵀ, Z one vector per text (Skean et al., 2025, arXiv:2502.02013).

    Example:
        >>> import torch
        >>> round(DatasetEntropy(normalisation="max").measure(torch.eye(5)).item(), 6)
        1.0
    """

    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        return scaled(entropy(values, self.alpha), texts, width, self.normalisation)
