"""Eigenvalues of the Gram matrix of states, and the entropy of their distribution.

K = ZZᵀ and ZᵀZ have the same positive eigenvalues, so the smaller of the two is decomposed. States come in fp32;
everything from here on is fp64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int  # a language of shapes for readers and checkers
    from torch import Tensor


def precise(states: Tensor) -> Tensor:
    """In fp64, on the CPU where the device has none."""
    return (states.cpu() if states.device.type == "mps" else states).double()


def prepare(
    states: Float[Tensor, "*batch row width"],
    centre: bool,
    row_norm: bool,
    real: Bool[Tensor, "*batch row"] | None = None,
) -> Float[Tensor, "*batch row width"]:
    """The rows in fp64, centred, then scaled to unit length, each where asked; rows that are not real become zero.

    Zero rows add nothing to a Gram matrix but zero eigenvalues, so that padding needs no further care.
    """
    states = precise(states)
    if real is None:
        states = states - states.mean(-2, keepdim=True) if centre else states
        return unit(states) if row_norm else states
    real = real.to(states.device)[..., None]
    states = states.masked_fill(~real, 0.0)  # also what is NaN there
    if centre:
        mean = states.sum(-2, keepdim=True) / real.sum(-2, keepdim=True)
        states = (states - mean).masked_fill(~real, 0.0)
    return unit(states) if row_norm else states


def unit(states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
    """Scaled to length one; zero stays zero."""
    import torch

    length = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return states / length.masked_fill(length == 0, 1.0)


def eigenvalues(states: Float[Tensor, "*batch row width"]) -> Float[Tensor, "*batch side"]:
    """Of the Gram matrix, rising, as many as the smaller of (row, width); rounding's share of them is exactly zero.

    NaN gives NaN: LAPACK would refuse the whole batch for one damaged matrix.
    """
    rows, width = states.shape[-2:]
    gram = states @ states.mT if rows <= width else states.mT @ states
    return _spectrum(gram, max(rows, width))


def kernel_eigenvalues(kernel: Float[Tensor, "*batch row row"]) -> Float[Tensor, "*batch row"]:
    """The same of a matrix that is a kernel already."""
    return _spectrum(kernel, kernel.shape[-1])


def _spectrum(gram: Tensor, size: int) -> Tensor:
    import torch

    finite = gram.isfinite().all(-1).all(-1)[..., None]
    values = torch.linalg.eigvalsh(gram.where(finite[..., None], torch.zeros_like(gram)))
    rounding = size * torch.finfo(gram.dtype).eps * values[..., -1:]
    return values.where(values > rounding, torch.zeros_like(values)).masked_fill(~finite, math.nan)


def entropy(weights: Float[Tensor, "*batch side"], alpha: float = 1.0) -> Float[Tensor, "*batch"]:
    """Rényi's entropy of order alpha, in nats, of nonnegative weights as shares of their sum; 1 is Shannon's.

    Of eigenvalues it is the matrix-based entropy of Giraldo et al. (2014, arXiv:1211.2459). Without any weight it
    is 0: what has no extent has no directions to spread over.
    """
    total = weights.sum(-1, keepdim=True)
    shares = weights / total.masked_fill(total == 0, 1.0)
    if alpha == 1:
        return shannon(shares)
    none = shares == 0
    power = (shares.masked_fill(none, 1.0) ** alpha).masked_fill(none, 0.0).sum(-1)
    return power.masked_fill(total[..., 0] == 0, 1.0).log() / (1 - alpha)


def shannon(shares: Float[Tensor, "*batch side"]) -> Float[Tensor, "*batch"]:
    """−Σ p ln p. A share of 0 has no part in it: there the slope is infinite, which would make every gradient NaN."""
    import torch

    none = shares == 0
    return torch.special.entr(shares.masked_fill(none, 1.0)).masked_fill(none, 0.0).sum(-1)


def scaled(
    value: Float[Tensor, "*batch"], rows: int | Int[Tensor, "*batch"], width: int, normalisation: str
) -> Float[Tensor, "*batch"]:
    """The entropy as it is (`raw`), or over the largest that so many rows of this width can have (`max`)."""
    if normalisation == "raw":
        return value
    import torch

    largest = torch.as_tensor(rows, device=value.device).clamp(max=width).to(value.dtype).log()
    return value / largest.masked_fill(largest == 0, 1.0)  # one row: 0 of 0 is 0
