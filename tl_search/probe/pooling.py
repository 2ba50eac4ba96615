"""How the states of a text's tokens become one vector, always in fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tl_search.plane.extraction import Pooling

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers


def pool(
    states: Float[Tensor, "text token width"], lengths: Int[Tensor, " text"] | None, pooling: Pooling
) -> Float[Tensor, "text width"]:
    """One vector per text, in fp32, from the states of its real tokens.

    `weighted_mean` weighs a token by its position 1, 2, …, since a causal model's later tokens have seen more of the
    text (Muennighoff, 2022, arXiv:2202.08904).

    Args:
        states: Of any dtype.
        lengths: Real tokens of each text, >= 1, which come first; None: all tokens are real.
        pooling: How.
    """
    if pooling is Pooling.cls:
        return states[:, 0].float()
    if pooling is Pooling.last:
        last = -1 if lengths is None else lengths - 1
        return states[torch.arange(len(states), device=states.device), last].float()
    states = states.float()
    place = torch.arange(states.shape[1], device=states.device)
    weight = place + 1.0 if pooling is Pooling.weighted_mean else torch.ones_like(place, dtype=torch.float32)
    weight = weight.expand(states.shape[:2])
    if lengths is not None:
        padding = place >= lengths[:, None]
        weight = weight.masked_fill(padding, 0.0)
        # weight 0 would not suffice: what a model computes at padding may be NaN, and 0 × NaN is NaN
        states = states.masked_fill(padding[..., None], -torch.inf if pooling is Pooling.max else 0.0)
    if pooling is Pooling.max:
        return states.amax(1)
    return torch.bmm((weight / weight.sum(1, keepdim=True))[:, None], states)[:, 0]


def pool_packed(
    states: Float[Tensor, "token width"], starts: Int[Tensor, " text+1"], pooling: Pooling
) -> Float[Tensor, "text width"]:
    """The same from texts that stand end to end, without a call for each length.

    Args:
        states: Of any dtype.
        starts: Where each text begins, and where the last one ends; every text has at least one token.
        pooling: How.
    """
    starts = starts.long()
    first, lengths = starts[:-1], starts.diff()
    if pooling is Pooling.cls:
        return states[first].float()
    if pooling is Pooling.last:
        return states[starts[1:] - 1].float()
    states = states.float()
    if pooling is Pooling.max:
        return torch.segment_reduce(states, "max", offsets=starts)
    if pooling is Pooling.mean:
        return torch.segment_reduce(states, "mean", offsets=starts)
    place = torch.arange(len(states), device=states.device)
    weight = place - first.repeat_interleave(lengths, output_size=len(states)) + 1.0
    total = lengths * (lengths + 1) / 2
    return torch.segment_reduce(states * weight[:, None], "sum", offsets=starts) / total[:, None]
