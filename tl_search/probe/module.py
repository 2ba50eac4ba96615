"""One forward pass that gives the vectors of all layers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from lightning import LightningModule
from torch import Tensor

from tl_search.plane.extraction import Extraction, FinalNorm, Pooling
from tl_search.probe import batching, packing
from tl_search.probe.batching import Batch
from tl_search.probe.pooling import pool
from tl_search.probe.states import anatomy

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers

# Norm of a difference relative to the norm of the vectors: well above the dtype's rounding, well below what a wrong
# norm, mask or position makes of them.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 3e-2}


class Probe(LightningModule):
    """A base model whose `predict_step` returns each text's vector at every layer 0..L.

    Hooks pool as each block finishes, so that never more than one layer's states are alive.

    Args:
        model: A transformers base model (no head), in evaluation mode.
        extraction: Which states, and how they are pooled; its dtype is the model's.

    Raises:
        ValueError: the model's parts were not recognised.
    """

    def __init__(self, model: Any, extraction: Extraction) -> None:
        super().__init__()
        self.model = model
        self.extraction = extraction
        self.anatomy = anatomy(model)
        self._check_anatomy()
        self.packs = packing.packable(model, extraction.max_length) and self._try_packing()

    @torch.inference_mode()
    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Float[Tensor, "layer text width"]:
        return self._vectors(batch, self.extraction.final_norm, self.extraction.pooling)

    def _vectors(
        self, batch: Batch, final_norm: FinalNorm, pooling: Pooling, model_output: list[Tensor] | None = None
    ) -> Float[Tensor, "layer text width"]:
        """All layers' vectors; `model_output` gets what the model itself returns, pooled alike, for comparison."""
        layers: list[Tensor] = []

        def take(states: Tensor, normed: bool) -> Tensor:
            if normed and self.anatomy.norm is not None:
                states = self.anatomy.norm(states)
            if not batch.groups:
                return pool(states, batch.lengths, pooling)
            shapes = packing.rectangles(states, batch)
            lengths = [torch.full((len(shape),), shape.shape[1], device=shape.device) for shape in shapes]
            return torch.cat([pool(*pair, pooling) for pair in zip(shapes, lengths, strict=True)])

        def enter(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            states = given[0] if given else named["hidden_states"]
            layers.append(take(states, self.anatomy.normed(0, final_norm)))

        def leave(module: Any, given: Any, output: Any) -> None:
            states = output if isinstance(output, Tensor) else output[0]
            layers.append(take(states, self.anatomy.normed(len(layers), final_norm)))

        with ExitStack() as hooks:
            hooks.callback(self.anatomy.blocks[0].register_forward_pre_hook(enter, with_kwargs=True).remove)
            for block in self.anatomy.blocks:
                hooks.callback(block.register_forward_hook(leave).remove)
            last = self._forward(batch)
        if model_output is not None:
            model_output.append(take(last, normed=False))
        return torch.stack(layers)

    def _forward(self, batch: Batch) -> Tensor:
        """The last hidden state, without a key-value cache."""
        if batch.groups:
            self._attend(packing.NAME)
            options = {"position_ids": packing.positions(batch), "groups": batch.groups}
        else:
            self._attend(self._own_attention)
            # padding stands on the right, so the model's own count of positions starts at the first real token
            place = torch.arange(batch.ids.shape[1], device=batch.ids.device)
            options = {"attention_mask": (place[None] < batch.lengths[:, None]).long()}
        return self.model(input_ids=batch.ids, use_cache=False, **options)[0]

    def _attend(self, name: str) -> None:
        if self.model.config._attn_implementation != name:
            self.model.set_attn_implementation(name)

    @torch.no_grad()
    def _check_anatomy(self) -> None:
        """Names can lie: the last block's states under the norm must be what the model itself puts out."""
        self._own_attention = self.model.config._attn_implementation
        output: list[Tensor] = []
        ours = self._vectors(self._sample(packed=False), FinalNorm.last_only, Pooling.mean, output)
        if len(ours) != len(self.anatomy.blocks) + 1 or not self._close(ours[-1], output[0]):
            name = f"{type(self.model).__name__} ({self.model.config.model_type})"
            raise ValueError(f"model: the blocks or the final norm of {name} are not what their names say")

    @torch.no_grad()
    def _try_packing(self) -> bool:
        """Whether the packed pass gives what the padded one gives; a model that objects keeps padding."""
        packing.register()
        padded = self._vectors(self._sample(packed=False), FinalNorm.none, Pooling.mean)
        try:
            packed = self._vectors(self._sample(packed=True), FinalNorm.none, Pooling.mean)
        except (NotImplementedError, TypeError, ValueError, RuntimeError, IndexError):
            self._attend(self._own_attention)
            return False
        return all(self._close(*pair) for pair in zip(packed, padded, strict=True))

    def _close(self, ours: Tensor, theirs: Tensor) -> bool:
        if ours.shape != theirs.shape:
            return False
        if not bool(torch.isfinite(theirs).all()):
            return True  # the weights are at fault, and whoever reads the vectors names that better
        return bool((ours - theirs).norm() <= _TOLERANCE[self.model.dtype] * theirs.norm() + 1e-6)

    def _sample(self, packed: bool) -> Batch:
        """Three short texts of arbitrary tokens, two of them equally long."""
        tokens = torch.arange(14) * 7 % self.model.get_input_embeddings().num_embeddings
        rows = [part.numpy() for part in tokens.split([6, 4, 4])]
        (batch,) = batching.packed(rows, 14) if packed else batching.padded(rows, 18, pad_id(self.model))
        return batch._replace(**{name: getattr(batch, name).to(self.device) for name in ("ids", "lengths", "texts")})


def pad_id(model: Any) -> int:
    """What stands where no token is; masked, so that only models which look for it by value care."""
    pad = getattr(model.config, "pad_token_id", None)
    return pad if isinstance(pad, int) and 0 <= pad < model.get_input_embeddings().num_embeddings else 0
