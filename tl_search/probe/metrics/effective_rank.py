"""Effective rank: how many dimensions the vectors of all texts use, as a number that may lie between integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from tl_search.probe.metrics.accumulate import Pooled
from tl_search.probe.metrics.spectrum import eigenvalues, entropy, prepare

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers


def effective_rank(
    vectors: Float[Tensor, "*batch text width"],
    *,
    centre: bool = False,
    row_norm: bool = False,
    spectrum: str = "singular",
) -> Float[Tensor, "*batch"]:
    """The exponential of the entropy of the spectrum's shares (Roy & Vetterli, 2007).

    Args:
        vectors: Pooled states.
        centre: Whether the mean vector is taken off first.
        row_norm: Whether vectors are then scaled to unit length.
        spectrum: `singular` values σ of Z, as Roy & Vetterli have it; or the `eigen` values σ² of ZZᵀ, with which it
            is exp of the dataset entropy, as Skean et al. (2025, arXiv:2502.02013) have it.

    Example:
        >>> import torch
        >>> round(effective_rank(torch.eye(5)).item(), 6)
        5.0
    """
    values = eigenvalues(prepare(vectors, centre, row_norm))
    return entropy(values.sqrt() if spectrum == "singular" else values).exp()


class EffectiveRank(Pooled):
    """`effective_rank` of all texts."""

    is_differentiable = True
    higher_is_better = None

    def __init__(self, centre: bool = False, row_norm: bool = False, spectrum: str = "singular") -> None:
        super().__init__(centre=centre, row_norm=row_norm, spectrum=spectrum)

    def measure(self, vectors: Float[Tensor, "*layer text width"]) -> Float[Tensor, "*layer"]:
        return effective_rank(vectors, **self.options)
