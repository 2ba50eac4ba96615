"""A model without the blocks that an arm does not need, and where the arm's states are found in it.

After block l comes either the final norm (`final_norm=all`, the last layer of `last_only`) or nothing. A model of l
blocks ends with its norm, so its last state is the former and never the latter: a model that was merely cut there would
give other vectors, without a word. For the latter one block more is kept, and the states before it are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tl_search.plane.extraction import FinalNorm
from tl_search.probe.proof import Sample
from tl_search.probe.states import Anatomy, first_tensor, model_name

# A setting of transformers: whether the last of a model's hidden states is replaced by what its final norm gives.
TIED = "tie_last_hidden_states"


@dataclass(frozen=True)
class Cut:
    """What is kept of a model.

    Args:
        blocks: How many blocks are kept, the first ones.
        index: Of the arm's states among the model's `hidden_states`; None where they are its `last_hidden_state`.
    """

    blocks: int
    index: int | None = None


def cut_for(layer: int, model: Any, anatomy: Anatomy, final_norm: FinalNorm) -> Cut:
    """The smallest cut from which the states of a layer can be read.

    Args:
        layer: Of 0..L.
        model: The whole base model in evaluation mode. Its setting `tie_last_hidden_states` is turned off where the
            states of the last block are wanted as they are.
        anatomy: Its parts.
        final_norm: Which layers' states go through the final norm.

    Raises:
        ValueError: the model does not give these states.
    """
    if anatomy.norm is None or anatomy.normed(layer, final_norm):
        return Cut(layer)
    if layer == len(anatomy.blocks):
        setattr(model.config, TIED, False)
    index = _index(layer, model, anatomy)
    if index is None:
        raise ValueError(
            f"arm: {model_name(model)} has no output that is layer {layer} before the final norm; search with "
            "extraction.final_norm=all, whose layers can all be exported"
        )
    return Cut(min(layer + 1, len(anatomy.blocks)), index)


def cut_for_window(window: range) -> Cut:
    """The smallest cut that has all layers of a window: their states are taken between the blocks, not at the end."""
    return Cut(max(window[-1], 1))


@torch.no_grad()
def _index(layer: int, model: Any, anatomy: Anatomy) -> int | None:
    """Which of `hidden_states` the layer is. Found by trial: most models count from the embeddings, Mamba does not."""
    seen: list[Tensor] = []
    ids = Sample(model).alone[0].ids
    if layer < len(anatomy.blocks):

        def enter(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            seen.append(given[0] if given else named["hidden_states"])

        hook = anatomy.blocks[layer].register_forward_pre_hook(enter, with_kwargs=True)
    else:
        hook = anatomy.blocks[-1].register_forward_hook(lambda module, given, out: seen.append(first_tensor(out)))
    try:
        states = model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    finally:
        hook.remove()
    return next((number for number, state in enumerate(states) if torch.equal(state, seen[0])), None)


def save_cut(model: Any, anatomy: Anatomy, cut: Cut, folder: Path) -> None:
    """Write what is kept of a model into a folder; the model itself has no more blocks than that afterwards."""
    whole = len(anatomy.blocks)
    del anatomy.blocks[cut.blocks :]
    config = model.config
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == whole:  # one entry for each block, such as `layer_types`
            setattr(config, name, value[: cut.blocks])
    config.num_hidden_layers = cut.blocks
    config.use_cache = False
    model.save_pretrained(folder)
