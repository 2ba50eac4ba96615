"""DiME: how much more two views of the same texts share than views of shuffled texts do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfViews, option
from tl_search.probe.measuring.spectrum import entropy, kernel_eigenvalues, prepare

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class DiME(OfViews):
    """E_Π[S_α(K₁ ∘ ΠK₂Πᵀ)] − S_α(K₁ ∘ K₂), kernels between texts (Skean et al., 2023, arXiv:2301.08164).

    K₁ and K₂ are of the first two views of all texts.

    Args:
        alpha: Order of the entropy, > 0; 1 is Shannon's.
        centre: Whether each view's mean is taken off first.
        row_norm: Whether vectors are scaled to unit length, so that every text has the same weight in a kernel.
        permutations: Over how many Π the expectation is taken, >= 1; they are the same at every layer.
        seed: Of the permutations.
    """

    higher_is_better = True

    alpha: float = option(1.0, above=0)
    centre: bool = False
    row_norm: bool = True
    permutations: int = option(10, least=1, most=10_000)
    seed: int = option(0, least=0, most=2**32 - 1)

    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        import torch

        one, two = (
            view @ view.mT for view in (prepare(views[..., number, :], self.centre, self.row_norm) for number in (0, 1))
        )
        generator = torch.Generator().manual_seed(self.seed)
        apart = torch.zeros((), dtype=one.dtype)
        for _ in range(self.permutations):
            order = torch.randperm(one.shape[-1], generator=generator).to(two.device)
            shuffled = two[..., order, :][..., order]
            apart = apart + entropy(kernel_eigenvalues(one * shuffled), self.alpha) / self.permutations
        return apart - entropy(kernel_eigenvalues(one * two), self.alpha)
