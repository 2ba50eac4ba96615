"""One forward pass that gives the vectors of all layers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import torch
from lightning import LightningModule
from torch import Tensor

from tl_search.plane.extraction import Extraction, FinalNorm, Pooling
from tl_search.probe import batching, packing
from tl_search.probe.batching import Batch
from tl_search.probe.memory import is_full, release
from tl_search.probe.observe import Observer, Once, Rectangle
from tl_search.probe.pooling import pool
from tl_search.probe.states import anatomy

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers

log = logging.getLogger(__name__)

# Norm of a difference relative to the norm of the vectors: well above the dtype's rounding, well below what a wrong
# norm, mask or position makes of them.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 3e-2}


class _Enough(Exception):  # noqa: N818  (no error: it ends a pass that has given what was asked of it)
    """Raised behind the highest wanted layer's block."""


class Probe(LightningModule):
    """A base model whose `predict_step` returns each text's vector at every layer 0..L, or at those of `layers`.

    Hooks pool as each block finishes, so that never more than one layer's states are alive. Blocks above the highest
    wanted layer do not run. A batch that does not fit into memory goes through in halves, and so do later ones of
    its size until the column is done.

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
        self.observers: Sequence[Observer] = ()  # told of every layer's token states by `predict_step`
        self.anatomy = anatomy(model)
        self.layers: Sequence[int] = self.every_layer
        self._most_tokens: int | None = None  # in one pass; None until memory did not suffice
        self._check_anatomy()
        self.packs = packing.packable(model, extraction.max_length) and self._try_packing()

    @property
    def every_layer(self) -> Sequence[int]:
        return range(len(self.anatomy.blocks) + 1)

    def on_predict_start(self) -> None:
        self._most_tokens = None  # what else took memory may be gone by now

    @torch.inference_mode()
    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Float[Tensor, "layer text width"]:
        return self._within_memory(batch, Once(self.observers))

    def _within_memory(self, batch: Batch, observers: Once) -> Float[Tensor, "layer text width"]:
        alone, size = len(batch.lengths) == 1, batch.ids.numel()
        if alone or self._most_tokens is None or size <= self._most_tokens:
            try:
                return self._vectors(batch, self.extraction.final_norm, self.extraction.pooling, self.layers, observers)
            except (RuntimeError, MemoryError) as error:
                if not is_full(error) or observers.speaking:
                    raise
            release(self.device)  # not where the error is at hand: its traceback holds the pass's tensors
            if alone:
                raise ValueError(
                    f"extraction.max_length: one text of {size} tokens does not fit into the memory of {self.device}"
                )
            self._most_tokens = size // 2
            log.warning("%s: out of memory; going on with %d tokens a batch", self.device, self._most_tokens)
        parts = [self._within_memory(half, observers.again()) for half in batching.halves(batch)]
        return torch.cat(parts, dim=1)

    def _vectors(
        self,
        batch: Batch,
        final_norm: FinalNorm,
        pooling: Pooling,
        wanted: Sequence[int],
        observers: Once | None = None,
        model_output: list[Tensor] | None = None,
    ) -> Float[Tensor, "layer text width"]:
        """The wanted layers' vectors; `model_output` gets what the model itself returns, pooled alike, to compare."""
        vectors: dict[int, Tensor] = {}
        number = 0  # of the layer whose states come next

        def take(states: Tensor, normed: bool) -> Tensor:
            if normed and self.anatomy.norm is not None:
                states = self.anatomy.norm(states)
            padded = [Rectangle(states, batch.lengths, batch.texts)]
            parts = packing.rectangles(states, batch) if batch.groups else padded
            if observers is not None:
                observers.tell(number, parts)
            return torch.cat([pool(part.states, part.lengths, pooling) for part in parts])

        def arrive(states: Tensor) -> None:
            nonlocal number
            if number in wanted:
                vectors[number] = take(states, self.anatomy.normed(number, final_norm))
            if number == max(wanted) and model_output is None:
                raise _Enough
            number += 1

        def enter(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            arrive(given[0] if given else named["hidden_states"])

        def leave(module: Any, given: Any, output: Any) -> None:
            arrive(output if isinstance(output, Tensor) else output[0])

        with ExitStack() as hooks, suppress(_Enough):
            hooks.callback(self.anatomy.blocks[0].register_forward_pre_hook(enter, with_kwargs=True).remove)
            for block in self.anatomy.blocks:
                hooks.callback(block.register_forward_hook(leave).remove)
            last = self._forward(batch)
            if model_output is not None:
                model_output.append(take(last, normed=False))
        return torch.stack([vectors[layer] for layer in wanted if layer in vectors])

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
        sample, output = self._sample(packed=False), list[Tensor]()
        ours = self._vectors(sample, FinalNorm.last_only, Pooling.mean, self.every_layer, model_output=output)
        if len(ours) != len(self.anatomy.blocks) + 1 or not self._close(ours[-1], output[0]):
            name = f"{type(self.model).__name__} ({self.model.config.model_type})"
            raise ValueError(f"model: the blocks or the final norm of {name} are not what their names say")

    @torch.no_grad()
    def _try_packing(self) -> bool:
        """Whether the packed pass gives what the padded one gives; a model that objects keeps padding."""
        packing.register()
        padded = self._vectors(self._sample(packed=False), FinalNorm.none, Pooling.mean, self.every_layer)
        try:
            packed = self._vectors(self._sample(packed=True), FinalNorm.none, Pooling.mean, self.every_layer)
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
