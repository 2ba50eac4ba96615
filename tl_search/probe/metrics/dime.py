"""DiME: how much more two views of the same texts share than views of shuffled texts do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfViews, option
from tl_search.probe.measuring.spectrum import entropy, kernel_eigenvalues, prepare

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


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
        first: Vectors of one view of each text.
        second: Vectors of the other view.
        alpha: Order of the entropy, > 0; 1 is Shannon's.
        centre: Whether each view's mean is taken off first.
        row_norm: Whether vectors are scaled to unit length, so that every text has the same weight in a kernel.
        permutations: Over how many Π the expectation is taken, >= 1; they are the same at every layer.
        seed: Of the permutations.
    """
    import torch

    one, two = (view @ view.mT for view in (prepare(view, centre, row_norm) for view in (first, second)))
    generator = torch.Generator().manual_seed(seed)
    apart = torch.zeros((), dtype=one.dtype)
    for _ in range(permutations):
        order = torch.randperm(one.shape[-1], generator=generator).to(two.device)
        apart = apart + entropy(kernel_eigenvalues(one * two[..., order, :][..., order]), alpha) / permutations
    return apart - entropy(kernel_eigenvalues(one * two), alpha)


@dataclass(frozen=True)
class DiME(OfViews):
    """`dime` of the first two views of all texts."""

    higher_is_better = True

    alpha: float = option(1.0, above=0)
    centre: bool = False
    row_norm: bool = True
    permutations: int = option(10, least=1)
    seed: int = option(0, least=0)

    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        return dime(views[..., 0, :], views[..., 1, :], **self.options)
