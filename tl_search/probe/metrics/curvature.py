"""Curvature: how sharply a prompt's path through state space turns from token to token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfTokens
from tl_search.probe.measuring.spectrum import precise

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers
    from torch import Tensor


@dataclass(frozen=True)
class Curvature(OfTokens):
    """Mean angle, in radians, between successive steps z[k+1] − z[k] (Hosseini & Fedorenko, 2023).

    A step of length zero (a token repeated at layer 0) has no direction, so its two angles are left out. The curvature
    is NaN where there is no angle, as in a prompt of two tokens.

    Example:
        >>> import torch
        >>> round(Curvature().measure(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).item(), 4)
        1.5708
    """

    def measure(
        self, states: Float[Tensor, "*layer text token width"], lengths: Int[Tensor, " text"] | None = None
    ) -> Float[Tensor, "*layer text"]:
        import torch

        steps = precise(states).diff(dim=-2)
        sizes = _norm(steps)
        moved = sizes != 0
        if lengths is not None:
            # step k is from token k to k + 1, and both must be real
            real = torch.arange(1, states.shape[-2], device=steps.device) < lengths.to(steps.device)[..., None]
            moved = moved & real
        steps = steps / sizes.masked_fill(~moved, 1.0)[..., None]
        before, after = steps[..., :-1, :], steps[..., 1:, :]
        # not arccos of the cosine, which is imprecise near 0 and π (Kahan, 2006)
        angles = 2 * torch.atan2(_norm(before - after), _norm(before + after))
        counted = moved[..., :-1] & moved[..., 1:]
        mean = angles.masked_fill(~counted, 0.0).sum(-1) / counted.sum(-1)
        return mean.masked_fill(counted.sum(-1) == 0, math.nan)


def _norm(states: Tensor) -> Tensor:
    import torch

    return torch.linalg.vector_norm(states, dim=-1)
