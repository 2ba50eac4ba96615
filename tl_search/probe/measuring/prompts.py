"""The metrics of token states, at every layer of a column, from the states that a pass shows its observers.

The states of the few prompts that are measured are copied, and measured later, many together: a prompt's states have
the same shape at all layers, so each metric is a few calls on many matrices, and the device need not be waited for
between two layers.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.measuring.metric import OfTokens
from tl_search.probe.measuring.spectrum import precise
from tl_search.probe.observers import Rectangle

# Copied states that wait to be measured, in bytes at most; measuring takes a few times as much, since it is in fp64.
_WAITING = 2**25
_TOKENS = 32  # on an accelerator, prompts are padded to a multiple of so many tokens: fewer, larger calls


class _Chosen(NamedTuple):
    """Which of a rectangle's texts are prompts."""

    texts: Tensor  # the rectangle's, kept so that no other tensor gets its address, which is a key of the cache
    places: Tensor | None  # where the prompts stand in the rectangle; None: all of its texts are prompts
    counts: Tensor  # real tokens of each prompt, in host memory


class _Waiting(NamedTuple):
    """States (text, token, width) of one layer's prompts, and how many tokens of each are real."""

    layer: int
    states: Tensor
    counts: Tensor


class TokenMetrics:
    """An observer of a pass that measures its prompts.

    Args:
        config: Which metrics, and of how many prompts.
        texts: How many texts the corpus has. The first of them are the prompts; its views follow in the pass.
    """

    def __init__(self, config: MetricsConfig, texts: int) -> None:
        self.metrics = {name: metric for name, metric in config.metrics.items() if isinstance(metric, OfTokens)}
        self.prompts = config.prompts_of(texts)
        self._values: dict[tuple[int, str], list[Tensor]] = defaultdict(list)  # of some prompts each
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._known: dict[tuple[int, int], _Chosen | None] = {}  # of the current batch, by the address of its texts
        self._layer = 0

    def observe(self, layer: int, rectangle: Rectangle) -> None:
        """Copy the states of a rectangle's prompts; called by the pass at every layer, in rising order."""
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
        """A metric's mean over prompts at a layer; NaN where it is not defined for any prompt."""
        self._measure()
        return float(torch.cat(self._values[layer, name]).nanmean())

    def _choose(self, layer: int, rectangle: Rectangle) -> _Chosen | None:
        """Reads places and lengths from the device once for all layers of a batch, since each read waits for it."""
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
        there = None if len(places) == len(texts) else torch.tensor(places, device=rectangle.states.device)
        return _Chosen(rectangle.texts, there, counts)

    def _measure(self) -> None:
        """Measure the states that wait."""
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
    """How many tokens prompts are padded to. None on a CPU: it takes matrices one by one, and padding costs time."""
    tokens = states.shape[1]
    return tokens if states.device.type == "cpu" else -(-tokens // _TOKENS) * _TOKENS
