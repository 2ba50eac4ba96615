"""Prompt entropy: over how many directions the token states of one prompt are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import MatrixEntropy, OfTokens
from tl_search.probe.measuring.spectrum import eigenvalues, entropy, prepare, scaled

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class PromptEntropy(MatrixEntropy, OfTokens):
    """Matrix-based entropy S_α of K = ZZᵀ, Z one prompt's token states (Skean et al., 2025, arXiv:2502.02013).

    Example:
        >>> import torch
        >>> round(PromptEntropy().measure(torch.eye(4)).exp().item(), 6)
        4.0
    """

    def measure(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None = None
    ) -> Float[Tensor, "*layer text"]:
        import torch

        tokens, width = states.shape[-2:]
        real = None
        if lengths is not None:
            real = (torch.arange(tokens, device=states.device) < lengths[..., None]).expand(states.shape[:-1])
        value = entropy(eigenvalues(prepare(states, self.centre, self.row_norm, real)), self.alpha)
        return scaled(value, tokens if lengths is None else lengths.to(value.device), width, self.normalisation)
