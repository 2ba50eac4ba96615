"""Dataset entropy: over how many directions the vectors of all texts are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import MatrixEntropy, OfSpectrum
from tl_search.probe.measuring.spectrum import eigenvalues, entropy, prepare, scaled

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


def dataset_entropy(
    vectors: Float[Tensor, "*batch text width"],
    *,
    alpha: float = 1.0,
    centre: bool = False,
    row_norm: bool = False,
    normalisation: str = "raw",
) -> Float[Tensor, "*batch"]:
    """Matrix-based entropy S_α of K = ZZᵀ, Z one vector per text (Skean et al., 2025, arXiv:2502.02013).

    Args:
        vectors: Pooled states of any dtype.
        alpha: Order of the entropy, > 0; 1 is Shannon's.
        centre: Whether the mean vector is taken off first.
        row_norm: Whether vectors are then scaled to unit length.
        normalisation: `raw` in nats, or `max`: over ln min(texts, width).

    Example:
        >>> import torch
        >>> round(dataset_entropy(torch.eye(5), normalisation="max").item(), 6)
        1.0
    """
    texts, width = vectors.shape[-2:]
    value = entropy(eigenvalues(prepare(vectors, centre, row_norm)), alpha)
    return scaled(value, texts, width, normalisation)


@dataclass(frozen=True)
class DatasetEntropy(MatrixEntropy, OfSpectrum):
    """`dataset_entropy` of all texts."""

    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        return scaled(entropy(values, self.alpha), texts, width, self.normalisation)
