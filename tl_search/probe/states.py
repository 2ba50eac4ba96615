"""Which states a layer has: where a transformers model keeps its blocks and its final norm, found by name.

Layer 0 is what enters the first block, layer l what leaves block l. What is found is proven in `probe/module.py`: the
norm of the last block's states must be the model's own output.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn

from tl_search.plane.extraction import FinalNorm

# Names of the list of blocks → names of the norm behind it. An empty tuple: the blocks end in their own norm.
_PLACES: dict[str, tuple[str, ...]] = {
    "layers": ("final_layer_norm", "norm", "final_norm", "norm_f", "final_layernorm"),  # GPT-NeoX, Llama, Mamba …
    "h": ("ln_f",),  # GPT-2, GPT-J, BLOOM, Falcon
    "blocks": ("norm_f", "ln_out", "norm"),  # MPT, RWKV
    "decoder.layers": ("decoder.final_layer_norm",),  # OPT
    "encoder.layer": (),  # BERT, RoBERTa, ELECTRA
    "transformer.layer": (),  # DistilBERT
}


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model that the probe listens to."""

    blocks: nn.ModuleList
    norm: nn.Module | None

    def normed(self, layer: int, final_norm: FinalNorm) -> bool:
        """Whether the layer's states go through the final norm."""
        wanted = final_norm is FinalNorm.all or (final_norm is FinalNorm.last_only and layer == len(self.blocks))
        return wanted and self.norm is not None


def anatomy(model: Any) -> Anatomy:
    """The blocks and the final norm of a base model (without head).

    Raises:
        ValueError: none of the known places holds the blocks, or the norm behind them has no known name.
    """
    name = f"{type(model).__name__} ({model.config.model_type})"
    if model.config.is_encoder_decoder:
        raise ValueError(f"model: must be an encoder or a decoder alone, got {name}, which is both")
    for place, norms in _PLACES.items():
        blocks = _find(model, place)
        if not isinstance(blocks, nn.ModuleList) or len(blocks) != model.config.num_hidden_layers:
            continue
        if not norms:
            return Anatomy(blocks, None)
        for norm in norms:
            found = _find(model, norm)
            if found is not None:
                return Anatomy(blocks, found)
        raise ValueError(f"model: the final norm of {name} was not found (looked for {', '.join(norms)})")
    raise ValueError(f"model: the blocks of {name} were not found (looked for {', '.join(_PLACES)})")


def _find(model: nn.Module, path: str) -> Any:
    place: Any = model
    for part in path.split("."):
        place = getattr(place, part, None)
    return place
