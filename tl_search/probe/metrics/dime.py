"""DiME: how much more two views of the same texts have in common than views of texts that were shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tl_search.probe.metrics.accumulate import Views
from tl_search.probe.metrics.spectrum import entropy, kernel_eigenvalues, prepare

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers


def dime(
    first: Float[Tensor, "*batch text width"],
    second: Float[Tensor, "*batch text width"],
    *,
    alpha: float = 1.0,
    centre: bool = False,
    row_norm: bool = True,
    permutations: int = 10,
    seed: int = 0,
) -> Float[Tensor, "*batch"]:
    """E_Π[S_α(K₁ ∘ ΠK₂Πᵀ)] − S_α(K₁ ∘ K₂), kernels between texts (Skean et al., 2023, arXiv:2301.08164).

    Args:
        first: One view of each text.
        second: The other.
        alpha: Order of the entropy, > 0; 1 is Shannon's.
        centre: Whether each view's mean is taken off first.
        row_norm: Whether vectors are scaled to unit length, so that every text weighs the same in a kernel.
        permutations: How many Π the expectation is over, >= 1; the same ones at every layer.
        seed: Of the permutations.
    """
    one, two = (view @ view.mT for view in (prepare(view, centre, row_norm) for view in (first, second)))
    generator = torch.Generator().manual_seed(seed)
    apart = torch.zeros((), dtype=one.dtype)
    for _ in range(permutations):
        order = torch.randperm(one.shape[-1], generator=generator).to(two.device)
        apart = apart + entropy(kernel_eigenvalues(one * two[..., order, :][..., order]), alpha) / permutations
    return apart - entropy(kernel_eigenvalues(one * two), alpha)


class DiME(Views):
    """`dime` of the first two views of all texts."""

    is_differentiable = True
    higher_is_better = True

    def __init__(
        self,
        alpha: float = 1.0,
        centre: bool = False,
        row_norm: bool = True,
        permutations: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(alpha=alpha, centre=centre, row_norm=row_norm, permutations=permutations, seed=seed)

    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        return dime(views[..., 0, :], views[..., 1, :], **self.options)
