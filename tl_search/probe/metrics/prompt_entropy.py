"""Prompt entropy: over how many directions the token states of one prompt are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import MatrixEntropy, OfTokens
from tl_search.probe.measuring.spectrum import eigenvalues, entropy, prepare, scaled

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers
    from torch import Tensor


def prompt_entropy(
    states: Float[Tensor, "*batch token width"],
    lengths: Int[Tensor, "*batch"] | None = None,
    *,
    alpha: float = 1.0,
    centre: bool = False,
    row_norm: bool = False,
    normalisation: str = "raw",
) -> Float[Tensor, "*batch"]:
    """Matrix-based entropy S_α of K = ZZᵀ, Z one prompt's token states (Skean et al., 2025, arXiv:2502.02013).

    Args:
        states: Token states of each prompt, of any dtype.
        lengths: Real tokens of each prompt, which come first; None: all are.
        alpha: Order of the entropy, > 0; 1 is Shannon's.
        centre: Whether the mean token is taken off first.
        row_norm: Whether tokens are then scaled to unit length.
        normalisation: `raw` in nats, or `max`: over ln min(tokens, width).

    Example:
        >>> import torch
        >>> round(prompt_entropy(torch.eye(4)).exp().item(), 6)
        4.0
    """
    import torch

    tokens, width = states.shape[-2:]
    real = None
    if lengths is not None:
        real = torch.arange(tokens, device=states.device) < lengths[..., None]
        real = real.expand(states.shape[:-1])
    value = entropy(eigenvalues(prepare(states, centre, row_norm, real)), alpha)
    counts = tokens if lengths is None else lengths.to(value.device)
    return scaled(value, counts, width, normalisation)


@dataclass(frozen=True)
class PromptEntropy(MatrixEntropy, OfTokens):
    """The mean of `prompt_entropy` over prompts."""

    def measure(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None
    ) -> Float[Tensor, "*layer text"]:
        return prompt_entropy(states, lengths, **self.options)
