"""How a model numbers positions: how many it has, and whether a text's positions depend on other texts of its batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Lookups(TorchFunctionMode):
    """Finds out how many positions a model has, by watching its table lookups while one unpadded text passes.

    A table that is read at ascending rows is taken for one of positions; its first row in use is the first one read
    (RoBERTa's table starts after its padding token, OPT's at 2).

    Args:
        tokens: How many the text has, >= 2. The token ids must not ascend themselves.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self._left: list[int] = []  # rows of each table from the first one that was read

    @property
    def limit(self) -> int | None:
        """How many tokens the model has positions for; None where it has no table of them."""
        return min(self._left, default=None)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.embedding:
            self._note(len(args[1]), args[0])
        elif func is Tensor.__getitem__:  # tables of sines: CodeGen's, CTRL's
            index = args[1][0] if isinstance(args[1], tuple) else args[1]
            if isinstance(index, Tensor) and index.dtype is torch.long:
                self._note(len(args[0]), index)
        elif func is torch.gather and len(args) == 3 and args[1] == 1 and args[0].ndim == 3:  # GPT-J's
            self._note(args[0].shape[1], args[2][..., 0])
        return func(*args, **(kwargs or {}))

    def _note(self, rows: int, places: Tensor) -> None:
        if places.ndim and places.shape[-1] >= self.tokens:
            own = places[..., : self.tokens]  # Longformer pads a text to a whole window
            if bool((own.diff() == 1).all()):
                self._left.append(rows - int(own.flatten()[0]))


def fixed_up_to(model: nn.Module) -> float:
    """The longest text, in tokens, whose rotary positions do not depend on the longest text of its batch.

    Infinite for most models. With "dynamic" or "longrope" scaling it is the length that the model was trained with:
    beyond it, these scale the positions of the whole batch by the length of its longest text.
    """
    limits = [math.inf]
    for part, kinds in _rotary(model):
        if any("dynamic" in kind for kind in kinds):
            limits.append(part.original_max_seq_len)
        if "longrope" in kinds:
            given = part.config.rope_parameters  # of all layers, or of each kind of them
            kept = [given] if "rope_type" in given else given.values()
            limits += [options.get("original_max_position_embeddings", math.inf) for options in kept]
    return min(limits)


def reset_scaling(model: nn.Module) -> None:
    """Undo the change that "dynamic" scaling makes to rotary frequencies at the longest text so far."""
    for part, kinds in _rotary(model):
        if any("dynamic" in kind for kind in kinds):
            for name in [name for name in dir(part) if name.endswith("original_inv_freq")]:
                kind = name.removesuffix("original_inv_freq")
                device = getattr(part, kind + "inv_freq").device
                part.register_buffer(kind + "inv_freq", getattr(part, name).to(device), persistent=False)
                setattr(part, kind + "max_seq_len_cached", part.original_max_seq_len)


def _rotary(model: nn.Module) -> Iterator[tuple[Any, list[str]]]:
    """The modules of rotary positions, with their kinds of scaling (one for each kind of layer)."""
    for part in model.modules():
        kinds = getattr(part, "rope_type", None)
        if kinds is not None:
            yield part, [str(kind) for kind in (kinds.values() if isinstance(kinds, dict) else [kinds])]
