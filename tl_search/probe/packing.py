"""Attention over texts that stand end to end in one row, split where texts meet: it needs no padding and no mask.

It is registered with transformers' interface for attention functions, so it serves every model that uses the interface,
and no model's code is repeated here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from tl_search.probe.batching import Batch
from tl_search.probe.observers import Rectangle

if TYPE_CHECKING:
    from jaxtyping import Float, Int  # a language of shapes for readers and checkers

NAME = "tl_packed"

# Arguments of some models' attention that are not supported here; such a model gets padded batches.
_UNKNOWN = ("softcap", "s_aux", "position_bias")


def attention(
    module: torch.nn.Module,
    query: Float[Tensor, "1 head token size"],
    key: Float[Tensor, "1 group token size"],
    value: Float[Tensor, "1 group token size"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    groups: tuple[tuple[int, int], ...],
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Float[Tensor, "1 token head size"], None]:
    """An attention function of transformers; texts of equal length are computed together.

    Args:
        groups: (number of texts, their length) for each run of equally long texts. The rest is the library's.

    Returns:
        The states, and no attention weights.

    Raises:
        NotImplementedError: the model passes a mask or a bias.
    """
    refuse_unknown(attention_mask, options)
    one_way = causal(module, is_causal)
    parts = []
    for texts, length, start in _places(groups):
        part = slice(start, start + texts * length)
        # head token size → text head token size
        q, k, v = (x[0, :, part].unflatten(1, (texts, length)).transpose(0, 1) for x in (query, key, value))
        out = functional.scaled_dot_product_attention(
            q, k, v, is_causal=one_way and length > 1, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
        )
        parts.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)[None], None


def refuse_unknown(attention_mask: Tensor | None, options: Mapping[str, Any]) -> None:
    """NotImplementedError for a mask, and for what some models add to their attention."""
    if attention_mask is not None or any(options.get(name) is not None for name in _UNKNOWN):
        raise NotImplementedError("this attention takes neither masks nor biases")


def causal(module: torch.nn.Module, is_causal: bool | None) -> bool:
    """Whether a token sees only what stands before it: the call says so, or else the module."""
    return getattr(module, "is_causal", True) if is_causal is None else is_causal


def register() -> None:
    """Make the function known to transformers under `NAME`. May be repeated."""
    make_known(NAME, attention)


def make_known(name: str, function: Callable[..., Any]) -> None:
    """Give transformers an attention function, for which it builds no mask."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, lambda *args, **options: None)


def packable(model: Any) -> int:
    """How many tokens a text may have at most for `attention` to replace the model's own; 0 = it cannot.

    Where some layer's attention has a window, it is the window's size, since the window does not cut shorter texts.
    """
    if not model._supports_attention_backend:
        return 0
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"]
    reach = {
        "full_attention": sys.maxsize,
        "sliding_attention": window,
        "chunked_attention": getattr(config, "attention_chunk_size", None),
    }
    return min(reach.get(kind) or 0 for kind in kinds)


def starts(batch: Batch) -> Int[Tensor, " text+1"]:
    """Where each text of a packed batch begins in its row, and where the last one ends; int32."""
    return functional.pad(batch.lengths.cumsum(0), (1, 0)).int()


def positions(batch: Batch) -> Int[Tensor, "1 token"]:
    """The position of each token in its text, from 0."""
    row = torch.arange(batch.ids.shape[1], device=batch.ids.device)
    first = starts(batch)[:-1].long()
    return (row - first.repeat_interleave(batch.lengths, output_size=len(row)))[None]


def rectangles(states: Float[Tensor, "1 token width"], batch: Batch) -> list[Rectangle]:
    """The row cut into its groups of equally long texts."""
    counts = [texts for texts, _ in batch.groups]
    shapes = [
        states[0, start : start + texts * length].unflatten(0, (texts, length))
        for texts, length, start in _places(batch.groups)
    ]
    return list(map(Rectangle, shapes, batch.lengths.split(counts), batch.texts.split(counts)))


def _places(groups: tuple[tuple[int, int], ...]) -> list[tuple[int, int, int]]:
    places, start = [], 0
    for texts, length in groups:
        places.append((texts, length, start))
        start += texts * length
    return places
