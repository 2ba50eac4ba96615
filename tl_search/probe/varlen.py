"""Packed attention in one call a layer, by torch's kernel for texts of any length (`torch.nn.attention.varlen`).

`packing.attention` makes one call for each length that occurs, which is best on a CPU. On a GPU a pack holds a hundred
lengths, and the calls themselves become the cost. The kernel computes only in half precision on CUDA, so whether it may
be used is tried on the device itself: see `Probe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tl_search.probe import packing

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers

NAME = "tl_packed_varlen"


def possible(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernel may know this kind of device and numbers. A trial must still show that it does."""
    return device.type == "cuda" and dtype in (torch.float16, torch.bfloat16)


def attention(
    module: torch.nn.Module,
    query: Float[Tensor, "1 head token size"],
    key: Float[Tensor, "1 group token size"],
    value: Float[Tensor, "1 group token size"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    groups: tuple[tuple[int, int], ...],
    starts: Int[Tensor, " text+1"],
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Float[Tensor, "1 token head size"], None]:
    """An attention function of transformers; as `packing.attention`, in one call.

    Args:
        groups: (number of texts, their length) for each run of equally long texts.
        starts: Where each text begins in the row, and where the last one ends; int32, on the device.

    Raises:
        NotImplementedError: the model passes a mask or a bias.
        TypeError: this version of torch has a kernel that takes other arguments.
    """
    from torch.nn.attention.varlen import varlen_attn

    packing.refuse_unknown(attention_mask, options)
    longest = max(length for _, length in groups)
    named: dict[str, Any] = {"scale": scaling, "window_size": (-1, 0 if packing.causal(module, is_causal) else -1)}
    if query.shape[1] != key.shape[1]:
        named["enable_gqa"] = True  # versions of torch before 2.12 lack the argument
    q, k, v = (states[0].transpose(0, 1).contiguous() for states in (query, key, value))  # token head size
    out: Any = varlen_attn(q, k, v, starts, starts, longest, longest, **named)
    return out[None], None


def register() -> None:
    """Make the function known to transformers under `NAME`, with no mask. May be repeated."""
    packing.make_known(NAME, attention)
