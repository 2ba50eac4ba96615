"""RankMe: the effective rank by which pretrained representations are compared without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfSpectrum, option
from tl_search.probe.measuring.spectrum import eigenvalues, prepare, shannon

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


def rankme(vectors: Float[Tensor, "*batch text width"], *, eps: float = 1e-7) -> Float[Tensor, "*batch"]:
    """exp(−Σ p ln p), p = σ / Σσ + ε over the singular values σ (Garrido et al., 2023, arXiv:2210.02885).

    Vectors are neither centred nor scaled. `effective_rank` with `spectrum=singular` is the same without ε.

    Args:
        vectors: Pooled states of any dtype.
        eps: Added to every share, >= 0.

    Example:
        >>> import torch
        >>> round(rankme(torch.eye(5)).item(), 3)
        5.0
    """
    return _rank(eigenvalues(prepare(vectors, centre=False, row_norm=False)), eps)


def _rank(values: Float[Tensor, "*batch side"], eps: float) -> Float[Tensor, "*batch"]:
    values = values.sqrt()
    total = values.sum(-1, keepdim=True)
    shares = values / total.masked_fill(total == 0, 1.0) + eps
    return shannon(shares).exp()


@dataclass(frozen=True)
class RankMe(OfSpectrum):
    """`rankme` of all texts."""

    higher_is_better = True

    eps: float = option(1e-7, least=0)

    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        return _rank(values, self.eps)
