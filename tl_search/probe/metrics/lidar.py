"""LiDAR: along how many directions texts differ from each other more than the views of one text do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfViews, option
from tl_search.probe.measuring.spectrum import eigenvalues, precise, shannon, shares

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class LiDAR(OfViews):
    """Effective rank of Σw^-½ Σb Σw^-½, where every text is a class (Thilak et al., 2023, arXiv:2312.04000).

    exp(−Σ p ln p), p = λ / Σλ + ε, over as many eigenvalues λ as the width; many of them are 0 where texts are few.
    Σb is the covariance of the texts' means, Σw that of the views around their text's mean. NaN where Σw with δ on its
    diagonal is not positive definite in fp64, which happens when δ is lost in the rounding of much larger numbers.

    Args:
        delta: Added to the diagonal of Σw, > 0.
        eps: Added to every share of the spectrum, >= 0.
    """

    higher_is_better = True

    delta: float = option(1e-4, above=0)
    eps: float = option(1e-8, least=0)

    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        import torch

        views = precise(views)
        texts, count, width = views.shape[-3:]
        means = views.mean(-2)
        between = (means - means.mean(-2, keepdim=True)) / texts**0.5
        noise = (views - means[..., None, :]).flatten(-3, -2) / (texts * count) ** 0.5
        within = noise.mT @ noise + self.delta * torch.eye(width, dtype=views.dtype, device=views.device)
        factor, failed = torch.linalg.cholesky_ex(within)  # `cholesky` would fail for all layers
        # Σw = FFᵀ: the rows F⁻¹b have the eigenvalues of Σw^-½ Σb Σw^-½ in their Gram matrix, on its smaller side
        values = eigenvalues(torch.linalg.solve_triangular(factor, between.mT, upper=False).mT)
        every = torch.nn.functional.pad(shares(values), (0, width - values.shape[-1]))
        return shannon(every + self.eps).exp().masked_fill(failed != 0, math.nan)
