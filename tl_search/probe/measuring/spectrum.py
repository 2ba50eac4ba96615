"""Eigenvalues of the Gram matrix of states, and the entropy of their distribution.

K = ZZᵀ and ZᵀZ have the same positive eigenvalues, so the smaller of the two is decomposed. States of any dtype become
fp64 first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int  # a language of shapes for readers and checkers
    from torch import Tensor


def precise(states: Tensor) -> Tensor:
    """The states in fp64; on the CPU where the device has no fp64."""
    return (states.cpu() if states.device.type == "mps" else states).double()


def prepare(
    states: Float[Tensor, "*batch row width"],
    centre: bool,
    row_norm: bool,
    real: Bool[Tensor, "*batch row"] | None = None,
) -> Float[Tensor, "*batch row width"]:
    """The rows in fp64, centred and then scaled to unit length where that is asked for.

    Args:
        states: Tokens of a prompt, or vectors of texts.
        centre: Whether the mean row is taken off.
        row_norm: Whether rows are scaled.
        real: Which rows are no padding; None: all. Padding becomes zero, which adds only zero eigenvalues.
    """
    states = precise(states)
    if real is None:
        states = states - states.mean(-2, keepdim=True) if centre else states
        return unit(states) if row_norm else states
    real = real.to(states.device)[..., None]
    states = states.masked_fill(~real, 0.0)  # also where padding is NaN
    if centre:
        mean = states.sum(-2, keepdim=True) / real.sum(-2, keepdim=True)
        states = (states - mean).masked_fill(~real, 0.0)
    return unit(states) if row_norm else states


def unit(states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
    """Every vector scaled to length one; zero stays zero."""
    import torch

    length = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return states / length.masked_fill(length == 0, 1.0)


def eigenvalues(states: Float[Tensor, "*batch row width"]) -> Float[Tensor, "*batch side"]:
    """The eigenvalues of the Gram matrix, rising; `side` is the smaller of row and width.

    Those that are no larger than rounding are set to zero. A matrix with NaN has NaN, and does not keep LAPACK from
    decomposing the others.
    """
    rows, width = states.shape[-2:]
    gram = states @ states.mT if rows <= width else states.mT @ states
    return _spectrum(gram, max(rows, width))


def kernel_eigenvalues(kernel: Float[Tensor, "*batch row row"]) -> Float[Tensor, "*batch row"]:
    """As `eigenvalues`, of a matrix that is a kernel already."""
    return _spectrum(kernel, kernel.shape[-1])


def _spectrum(gram: Tensor, size: int) -> Tensor:
    import torch

    finite = gram.isfinite().all(-1).all(-1)[..., None]
    values = torch.linalg.eigvalsh(gram.where(finite[..., None], torch.zeros_like(gram)))
    rounding = size * torch.finfo(gram.dtype).eps * values[..., -1:]
    return values.where(values > rounding, torch.zeros_like(values)).masked_fill(~finite, math.nan)


def entropy(weights: Float[Tensor, "*batch side"], alpha: float = 1.0) -> Float[Tensor, "*batch"]:
    """Rényi's entropy, in nats, of nonnegative weights as shares of their sum; 0 where all weights are 0.

    Of eigenvalues it is the matrix-based entropy of Giraldo et al. (2014, arXiv:1211.2459).

    Args:
        weights: Of any sum.
        alpha: Order of the entropy, > 0; 1 is Shannon's.
    """
    parts = shares(weights)
    if alpha == 1:
        return shannon(parts)
    none = parts == 0
    power = (parts.masked_fill(none, 1.0) ** alpha).masked_fill(none, 0.0).sum(-1)
    return power.masked_fill(none.all(-1), 1.0).log() / (1 - alpha)


def shares(weights: Float[Tensor, "*batch side"]) -> Float[Tensor, "*batch side"]:
    """Nonnegative weights divided by their sum; zeros stay zeros."""
    total = weights.sum(-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1.0)


def shannon(parts: Float[Tensor, "*batch side"]) -> Float[Tensor, "*batch"]:
    """−Σ p ln p, in nats. Shares of 0 are left out, since the infinite slope there would make all gradients NaN."""
    import torch

    none = parts == 0
    return torch.special.entr(parts.masked_fill(none, 1.0)).masked_fill(none, 0.0).sum(-1)


def scaled(
    value: Float[Tensor, "*batch"], rows: int | Int[Tensor, "*batch"], width: int, normalisation: str
) -> Float[Tensor, "*batch"]:
    """The entropy itself (`raw`), or divided by the largest one that rows of this number and width can have (`max`)."""
    if normalisation == "raw":
        return value
    import torch

    largest = torch.as_tensor(rows, device=value.device).clamp(max=width).to(value.dtype).log()
    return value / largest.masked_fill(largest == 0, 1.0)  # one row: 0 of 0 is 0
