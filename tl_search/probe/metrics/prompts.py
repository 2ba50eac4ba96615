"""The metrics of token states, at every layer of a column, from what a pass shows while it goes on.

The states of the few texts that are measured are set aside and taken up together: a prompt's states at all layers have
one shape, so that each metric is a few calls on many matrices, and nothing waits for a device that has its next
layer to compute.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from tl_search.probe.metrics.config import OF_TOKENS, MetricsConfig
from tl_search.probe.metrics.spectrum import precise
from tl_search.probe.observers import Rectangle

# Bytes of states that are set aside at most; in fp64, and with what metrics make of them, it is some times as much.
_WAITING = 2**25
_TOKENS = 32  # on an accelerator, prompts are filled up to a multiple of so many tokens: fewer, larger calls


class _Chosen(NamedTuple):
    """Which of a rectangle's texts are prompts.

    Args:
        texts: The rectangle's own: held, so that no other's can come to lie at its address.
        places: The prompts' places in it; None: all.
        counts: Their real tokens, in host memory.
    """

    texts: Tensor
    places: Tensor | None
    counts: Tensor


class _Waiting(NamedTuple):
    """States (text, token, width) of one layer's prompts, and how many tokens of each are real."""

    layer: int
    states: Tensor
    counts: Tensor


class TokenMetrics:
    """Collects what `config` measures of token states.

    Args:
        config: Which, and of how many prompts.
        texts: Only the first so many of the pass can be prompts.
    """

    def __init__(self, config: MetricsConfig, texts: int) -> None:
        self.metrics: dict[str, Any] = {name: config.start(name) for name in config.measures if name in OF_TOKENS}
        self.prompts = config.prompts_of(texts)
        self._values: dict[tuple[int, str], list[Tensor]] = defaultdict(list)  # of some prompts each
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._known: dict[tuple[int, int], _Chosen | None] = {}  # of the batch that passes, by where its texts lie
        self._layer = 0

    def observe(self, layer: int, rectangle: Rectangle) -> None:
        """Set aside the prompts that are among a rectangle's texts: an `Observer` of the pass."""
        chosen = self._choose(layer, rectangle) if self.metrics else None
        if chosen is None:
            return
        states = rectangle.states[:, : int(chosen.counts.max())]
        states = states.clone() if chosen.places is None else states[chosen.places]  # a view would keep the whole layer
        self._waiting.append(_Waiting(layer, states, chosen.counts))
        self._bytes += states.numel() * states.element_size()
        if self._bytes > _WAITING:
            self._measure()

    def value(self, layer: int, name: str) -> float:
        """The mean over prompts; NaN where no prompt has a value."""
        self._measure()
        return float(torch.cat(self._values[layer, name]).nanmean())

    def _choose(self, layer: int, rectangle: Rectangle) -> _Chosen | None:
        """Asks the device for places and lengths once for all layers of a batch: every answer has to be waited for."""
        if layer < self._layer:
            self._known.clear()
        self._layer = layer
        key = rectangle.texts.data_ptr(), len(rectangle.texts)
        if key not in self._known:
            self._known[key] = self._chosen(rectangle)
        return self._known[key]

    def _chosen(self, rectangle: Rectangle) -> _Chosen | None:
        texts, lengths = torch.stack([rectangle.texts, rectangle.lengths]).tolist()
        places = [place for place, text in enumerate(texts) if text < self.prompts]
        if not places:
            return None
        counts = torch.tensor([lengths[place] for place in places])
        all_of_them = len(places) == len(texts)
        there = None if all_of_them else torch.tensor(places, device=rectangle.states.device)
        return _Chosen(rectangle.texts, there, counts)

    def _measure(self) -> None:
        """Turn what waits into values."""
        alike: dict[tuple[int, int], list[_Waiting]] = defaultdict(list)
        for one in self._waiting:
            alike[_tokens(one.states), one.states.shape[-1]].append(one)
        self._waiting, self._bytes = [], 0
        for (tokens, _), group in alike.items():
            states = precise(torch.cat([pad(one.states, (0, 0, 0, tokens - one.states.shape[1])) for one in group]))
            counts = torch.cat([one.counts for one in group])
            lengths = None if bool((counts == tokens).all()) else counts.to(states.device)
            for name, metric in self.metrics.items():
                values = metric.measure(states, lengths).split([len(one.counts) for one in group])
                for one, part in zip(group, values, strict=True):
                    self._values[one.layer, name].append(part)


def _tokens(states: Tensor) -> int:
    """What prompts are filled up to: nothing on a CPU, which takes matrices one by one and has work with every zero."""
    tokens = states.shape[1]
    return tokens if states.device.type == "cpu" else -(-tokens // _TOKENS) * _TOKENS
