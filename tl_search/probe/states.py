"""Which states a layer has: finds a transformers model's blocks, and what it does to the states of the last one.

Layer l is the input of block l + 1, counted from 1, and layer L the output of the last block; so whatever a model does
between two blocks (DeBERTa has a convolution) is part of a layer. Nothing is found by its name: the blocks are the only
list with as many modules as the model has layers, and the final norm is what follows the last block.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tl_search.plane.extraction import FinalNorm


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model that the probe needs.

    Args:
        blocks: In order.
        norm: What is applied to the last block's states; None where nothing is.
    """

    blocks: nn.ModuleList
    norm: nn.Module | None

    def normed(self, layer: int, final_norm: FinalNorm) -> bool:
        """Whether the layer's states go through the final norm, where the model has one."""
        return final_norm is FinalNorm.all or (final_norm is FinalNorm.last_only and layer == len(self.blocks))


def model_name(model: Any) -> str:
    """The model's class and the library's name of its kind, for messages."""
    return f"{type(model).__name__} ({model.config.model_type})"


def blocks_of(model: Any) -> nn.ModuleList:
    """The only list of modules with as many entries as the model has layers.

    Raises:
        ValueError: there is none, or more than one; or the model is an encoder with a decoder.
    """
    if model.config.is_encoder_decoder:
        raise ValueError(f"model: must be an encoder or a decoder alone, got {model_name(model)}, which is both")
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    lists = [part for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    inner = {id(part) for found in lists for part in found.modules() if part is not found}
    outer = [found for found in lists if id(found) not in inner]
    if len(outer) != 1:
        raise ValueError(
            f"model: the blocks of {model_name(model)} were not found: must be one list of its {count} layers, "
            f"got {len(outer)} such lists"
        )
    return outer[0]


def anatomy(model: Any, run: Callable[[], Tensor]) -> Anatomy:
    """The blocks and the final norm of a base model (without head).

    Args:
        run: Passes a text through the model and returns the last hidden states.

    Raises:
        ValueError: it is an encoder with a decoder, or its blocks or what follows them cannot be told apart.
    """
    blocks = blocks_of(model)
    last: list[Tensor] = []
    followers: list[tuple[nn.Module, Tensor]] = []  # the modules after the last block, and their outputs

    def leave(module: nn.Module, given: Any, output: Any) -> None:
        last[:] = [first_tensor(output)]
        followers.clear()

    def follow(module: nn.Module, given: Any, output: Any) -> None:
        if last and isinstance(output, Tensor):
            followers.append((module, output))

    with ExitStack() as hooks:
        hooks.callback(blocks[-1].register_forward_hook(leave).remove)
        for part in _beside(model, blocks):
            hooks.callback(part.register_forward_hook(follow).remove)
        output = run()
    steps: list[nn.Module] = []
    for module, state in [(None, state) for state in last] + followers:
        if module is not None:
            steps.append(module)
        if _same(state, output):
            return Anatomy(blocks, steps[0] if len(steps) == 1 else nn.Sequential(*steps) if steps else None)
    raise ValueError(f"model: {model_name(model)} does something unknown between its last block and its output")


def first_tensor(output: Any) -> Tensor:
    """The states that a block returns, alone or as the first of several values."""
    return output if isinstance(output, Tensor) else output[0]


def _beside(model: nn.Module, blocks: nn.ModuleList) -> list[nn.Module]:
    """The modules beside the blocks, and beside the modules that contain them."""
    around = [part for part in model.modules() if part is not blocks and any(sub is blocks for sub in part.modules())]
    taken = {id(part) for part in [*around, blocks]}
    return [part for outer in around for part in outer.children() if id(part) not in taken]


def _same(ours: Tensor, theirs: Tensor) -> bool:
    """Compares addresses before numbers, since a diverged model gives only NaN, which equals nothing."""
    ours = ours[:, : theirs.shape[1]]  # Longformer pads a text to a whole window for its blocks
    return ours.shape == theirs.shape and (ours.data_ptr() == theirs.data_ptr() or torch.equal(ours, theirs))
