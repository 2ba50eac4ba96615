"""RankMe: the effective rank by which pretrained representations are compared without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfSpectrum, option
from tl_search.probe.measuring.spectrum import shannon, shares

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class RankMe(OfSpectrum):
    """exp(−Σ p ln p), p = σ / Σσ + ε over the singular values σ (Garrido et al., 2023, arXiv:2210.02885).

    Vectors are neither centred nor scaled. `EffectiveRank` with `spectrum=singular` is the same without ε.

    Args:
        eps: Added to every share, >= 0.

    Example:
        >>> import torch
        >>> round(RankMe().measure(torch.eye(5)).item(), 3)
        5.0
    """

    higher_is_better = True

    eps: float = option(1e-7, least=0)

    def of_spectrum(self, values: Float[Tensor, "*layer side"], texts: int, width: int) -> Float[Tensor, "*layer"]:
        return shannon(shares(values.sqrt()) + self.eps).exp()
