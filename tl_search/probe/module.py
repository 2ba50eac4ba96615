"""One forward pass that gives the vectors of all layers."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

import torch
from lightning import LightningModule
from torch import Tensor

from tl_search.plane.extraction import Extraction, FinalNorm, Pooling
from tl_search.probe import batching, packing, proof, varlen
from tl_search.probe.batching import Batch
from tl_search.probe.memory import is_full, release
from tl_search.probe.observers import Observer, Once, Rectangle
from tl_search.probe.pooling import pool, pool_packed
from tl_search.probe.positions import Lookups, fixed_up_to, reset_scaling
from tl_search.probe.states import anatomy, blocks_of, first_tensor, model_name

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers

log = logging.getLogger(__name__)


class _Enough(Exception):  # noqa: N818  (no error: it ends a pass that has given what was asked of it)
    """Raised when the highest wanted layer's states are there."""


class Probe(LightningModule):
    """A base model whose `predict_step` returns each text's vector at every wanted layer.

    Hooks pool the states as each block finishes, so only one layer's states are in memory. Blocks above the highest
    wanted layer do not run. A batch that does not fit into memory is computed in halves, and so are later batches of
    its size until the column is done.

    Args:
        model: A transformers base model (no head), in evaluation mode.
        extraction: Which states, and how they are pooled; the model has its dtype already.

    Attributes:
        layers: The wanted layers of 0..L, rising; all of them at first.
        observers: Shown the token states of every wanted layer by `predict_step`.
        packs: How many tokens a text may have to be packed with others; 0 = none is packed.
        packed_attention: The name under which transformers knows the attention of packed texts.
        apart: Texts with more tokens than this share a pass only with texts of their own length.
        position_limit: How many tokens the model has positions for; None = any number.
        width: Of the vectors.
        proven: Whether the trial with these weights holds for all weights of this architecture. It does not where they
            give NaN, or where texts could not be told apart by them.

    Raises:
        ValueError: the model's parts were not recognised.
    """

    def __init__(self, model: Any, extraction: Extraction) -> None:
        super().__init__()
        self.model = model
        self.extraction = extraction
        self.observers: Sequence[Observer] = ()
        self.packs = 0
        self.packed_attention = packing.NAME
        self._tried_on: torch.device | None = None  # where it was chosen
        self.apart = fixed_up_to(model)
        self._own_attention = model.config._attn_implementation
        self._most_tokens: int | None = None  # in one pass; None until memory did not suffice
        with proof.computing_in_float32(model, blocks_of(model)):
            self._prove()
        self.layers: Sequence[int] = self.every_layer

    @property
    def every_layer(self) -> Sequence[int]:
        """0..L."""
        return range(len(self.anatomy.blocks) + 1)

    def to(self, *args: Any, **named: Any) -> Self:
        """As for every module; ValueError with the model's name where the weights do not fit into the memory."""
        try:
            return super().to(*args, **named)
        except (RuntimeError, MemoryError) as error:
            if not is_full(error):
                raise
            where = str(args[0]) if args else str(named.get("device"))
            raise ValueError(f"model: {model_name(self.model)} does not fit into the memory of {where}") from error

    def on_predict_start(self) -> None:
        self._most_tokens = None  # more memory may be free by now
        if self.packs and self._tried_on != self.device:
            self.choose_packed_attention()

    @torch.inference_mode()
    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Float[Tensor, "layer text width"]:
        """The vectors of a batch, in fp32 on the batch's device.

        Args:
            batch: On the model's device.

        Returns:
            `result[i, j]` is the vector of the batch's j-th text at `self.layers[i]`. `VectorWriter` in `predict.py`
            receives it from Lightning and writes it to row `batch.texts[j]`.

        Raises:
            ValueError: a single text does not fit into the memory.
        """
        parts = [self._within_memory(part, Once(self.observers)) for part in self._fit_to_share(batch)]
        return torch.cat(parts, dim=1)

    def _fit_to_share(self, batch: Batch) -> list[Batch]:
        """The batch, split where texts of different length would change each other's vectors."""
        if math.isinf(self.apart) or int(batch.lengths.max()) <= max(self.apart, int(batch.lengths.min())):
            return [batch]
        return [part for half in batching.halves(batch) for part in self._fit_to_share(half)]

    def _within_memory(self, batch: Batch, observers: Once) -> Float[Tensor, "layer text width"]:
        alone, size = len(batch.lengths) == 1, batch.ids.numel()
        if alone or self._most_tokens is None or size <= self._most_tokens:
            try:
                return self._vectors(batch, self.extraction.final_norm, self.extraction.pooling, self.layers, observers)
            except (RuntimeError, MemoryError) as error:
                if not is_full(error) or observers.speaking:
                    raise
            release(self.device)  # not within `except`: there the error's traceback holds the pass's tensors
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
        """The wanted layers' vectors; `model_output` gets the model's own output, pooled alike, to compare with."""
        vectors: dict[int, Tensor] = {}
        number = 0  # of the layer whose states come next

        starts = packing.starts(batch) if batch.groups and batch.ids.is_cuda else None

        def take(states: Tensor, normed: bool) -> Tensor:
            if normed and self.anatomy.norm is not None:
                states = self.anatomy.norm(states)
            if starts is not None and not (observers and observers.observers):
                return pool_packed(states[0], starts, pooling)
            padded = [Rectangle(states, batch.lengths, batch.texts)]
            parts = packing.rectangles(states, batch) if batch.groups else padded
            if observers is not None:
                observers.tell(number, parts)
            return torch.cat([pool(part.states, None if batch.groups else part.lengths, pooling) for part in parts])

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
            arrive(first_tensor(output))

        with ExitStack() as hooks, suppress(_Enough):
            for block in self.anatomy.blocks:
                hooks.callback(block.register_forward_pre_hook(enter, with_kwargs=True).remove)
            hooks.callback(self.anatomy.blocks[-1].register_forward_hook(leave).remove)
            last = self._forward(batch)
            if model_output is not None:
                model_output.append(take(last, normed=False))
        return torch.stack([vectors[layer] for layer in wanted if layer in vectors])

    def _forward(self, batch: Batch) -> Tensor:
        """The last hidden state, without a key-value cache."""
        if batch.groups:
            self._attend(self.packed_attention)
            places = {"position_ids": packing.positions(batch), "starts": packing.starts(batch)}
            options: dict[str, Any] = {**places, "groups": batch.groups}
        else:
            self._attend(self._own_attention)
            # padding is on the right, so the model's own positions start at the first real token
            place = torch.arange(batch.ids.shape[1], device=batch.ids.device)
            options = {"attention_mask": (place[None] < batch.lengths[:, None]).long()}
        if not math.isinf(self.apart):
            reset_scaling(self.model)
        return self.model(input_ids=batch.ids, use_cache=False, **options)[0]

    def _attend(self, name: str) -> None:
        if self.model.config._attn_implementation != name:
            self.model.set_attn_implementation(name)

    @torch.no_grad()
    def _prove(self) -> None:
        """Find the model's parts and try them: padded and packed passes must give what each text gives alone."""
        output: list[Tensor] = []
        with proof.naming_the_model(self.model):
            sample = proof.Sample(self.model)
        first, others = sample.alone

        def run() -> Tensor:
            with proof.naming_the_model(self.model):
                return self._forward(first)

        with Lookups(first.ids.shape[1]) as lookups:
            self.anatomy = anatomy(self.model, run)
        self.position_limit = lookups.limit
        with proof.naming_the_model(self.model):
            entering = self._vectors(first, FinalNorm.none, Pooling.mean, [0])
            ours = self._tried(first, output)
            alone = torch.cat([ours, self._tried(others)], dim=1)
            joined, padded = self._tried(sample.padded).split([1, 3], dim=1)
        finite = bool(torch.isfinite(alone).all())  # if not, a column's faults tell of it
        if len(ours) != len(self.every_layer) or (finite and not proof.close(ours[-1:], output[0][None])):
            raise ValueError(f"model: what {model_name(self.model)} does to the states of its last block is unknown")
        if self.extraction.final_norm is FinalNorm.last_only and entering.shape[-1] != ours.shape[-1]:
            raise ValueError(
                f"extraction.final_norm: must be all or none for {model_name(self.model)}, whose final norm changes "
                f"the width from {entering.shape[-1]} to {ours.shape[-1]}, got last_only"
            )
        self.width = (entering if self.extraction.final_norm is FinalNorm.none else ours).shape[-1]
        self.proven = finite and not proof.close(joined[-1:], sample.blend(alone)[-1:])
        if not proof.close(padded, alone):
            self.apart = 0  # the mask does not hide the padding, or the weights cannot show that it does
        reach = packing.packable(self.model)
        if self.proven and reach and self._packs_like(sample.packed, alone):
            self.packs = reach

    def _tried(self, batch: Batch, model_output: list[Tensor] | None = None) -> Tensor:
        return self._vectors(batch, FinalNorm.all, Pooling.mean, self.every_layer, model_output=model_output)

    def _packs_like(self, batch: Batch, alone: Tensor) -> bool:
        """Whether the packed pass gives the vectors that texts have alone; not where the model refuses it."""
        packing.register()
        try:
            return proof.close(self._tried(batch), alone)
        except Exception as error:
            if is_full(error):
                raise
            return False
        finally:
            self._attend(self._own_attention)

    @torch.inference_mode()
    def choose_packed_attention(self) -> None:
        """One call a layer instead of one for each length, where this device's kernel gives vectors that are as good.

        As good means: no more than twice as far from those in float32, in any layer. The trial needs the weights on the
        device, so it comes after `_prove`; it holds for all weights of the architecture.
        """
        self._tried_on, self.packed_attention = self.device, packing.NAME
        if not varlen.possible(self.device, next(self.model.parameters()).dtype):
            return
        packing.register()
        varlen.register()
        batch = proof.Sample(self.model).packed
        with proof.computing_in_float32(self.model, self.anatomy.blocks):
            wide = self._tried(batch)
        by_length = self._tried(batch)
        self.packed_attention = varlen.NAME
        try:
            if proof.as_close(self._tried(batch), by_length, wide):
                return
        except Exception as error:
            if is_full(error):
                raise
        self.packed_attention = packing.NAME
