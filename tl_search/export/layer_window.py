"""A module of sentence-transformers that gives several layers' vectors at once, for readouts which take them together.

None of the library's own modules does that, so an export with such a readout needs this package where it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn

from tl_search.plane.extraction import Pooling
from tl_search.probe.pooling import pool
from tl_search.probe.states import anatomy, first_tensor


class LayerWindow(Transformer):
    """The transformer, and the pooling of each of a window's layers: `sentence_embedding` is (text, layers × width).

    Args:
        model_name_or_path: As for the library's own module, which takes the other settings as well.
        window: Layers of the model, rising, one after the other in the vectors. Layer 0 is the token embeddings.
        normed: Those of them to which the model's final norm is applied.
        pooling: How a layer's token states become one vector, as `extraction.pooling` names it.
        unit: Whether each layer's vector is scaled to unit length.
    """

    config_keys: list[str] = [*Transformer.config_keys, "window", "normed", "pooling", "unit"]  # noqa: RUF012  (as the library declares it)

    def __init__(
        self,
        model_name_or_path: str,
        *,
        window: Sequence[int],
        normed: Sequence[int],
        pooling: str,
        unit: bool,
        **settings: Any,
    ) -> None:
        super().__init__(model_name_or_path, **settings)
        self.window, self.normed, self.pooling, self.unit = list(window), list(normed), pooling, unit
        ids = torch.tensor([[0, 1]])
        with torch.no_grad():
            self._parts = anatomy(self.model, lambda: self.model(input_ids=ids.to(self.model.device))[0])

    def forward(self, features: dict[str, Any], **named: Any) -> dict[str, Any]:
        states: list[Tensor] = []

        def enter(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            states.append(given[0] if given else named["hidden_states"])

        with ExitStack() as hooks:
            for block in self._parts.blocks:
                hooks.callback(block.register_forward_pre_hook(enter, with_kwargs=True).remove)
            last = self._parts.blocks[-1]
            hooks.callback(
                last.register_forward_hook(lambda module, given, output: states.append(first_tensor(output))).remove
            )
            features = super().forward(features, **named)
        lengths, how = features["attention_mask"].sum(1), Pooling(self.pooling)
        vectors = [pool(self._normed(layer, states[layer]), lengths, how) for layer in self.window]
        if self.unit:
            vectors = [nn.functional.normalize(one) for one in vectors]
        features["sentence_embedding"] = torch.cat(vectors, dim=1)
        return features

    def _normed(self, layer: int, states: Tensor) -> Tensor:
        return self._parts.norm(states) if layer in self.normed and self._parts.norm is not None else states

    def get_embedding_dimension(self) -> int:
        """Of the vectors of all layers."""
        return len(self.window) * super().get_embedding_dimension()
