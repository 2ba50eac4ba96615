"""A column of the plane measured: every metric at every layer, from one forward pass.

What is measured of tokens is measured while a layer's states are alive; what is measured of texts, from the vectors
that the pass leaves.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.config import ProbeConfig
from tl_search.probe.embed import NonFiniteError, column_vectors
from tl_search.probe.metrics.config import OF_TOKENS, OF_VIEWS, MetricsConfig
from tl_search.probe.metrics.views import noisy_views
from tl_search.probe.observe import Observer, Rectangle

log = logging.getLogger(__name__)

# A layer's metrics by name; None where there is nothing to measure, as the curvature of prompts of two tokens.
Measured = dict[str, float | None]


def measure_column(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    probe: ProbeConfig,
    config: MetricsConfig,
) -> list[Measured]:
    """What every layer of the revision measures, from layer 0.

    As with embeddings, what gives NaN or infinity in a shorter dtype is passed again in float32.

    Raises:
        ValueError: as in `probe.embed.embed_column`.
    """
    try:
        return _measure(revision, folder, texts, extraction, probe, config)
    except NonFiniteError as error:
        if extraction.dtype is Dtype.float32:
            raise
        log.warning("%s; measuring the column again in float32", error)
    return _measure(revision, folder, texts, replace(extraction, dtype=Dtype.float32), probe, config)


def _measure(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    probe: ProbeConfig,
    config: MetricsConfig,
) -> list[Measured]:
    views = noisy_views(texts, config.views, config.noise, config.seed) if config.of_views else []
    every = [*texts, *(view for of_text in views for view in of_text)]
    tokens = TokenMetrics(config, len(texts))
    vectors = torch.from_numpy(column_vectors(revision, folder, every, extraction, probe, tokens.observers()))
    plain, seen = vectors[:, : len(texts)], vectors[:, len(texts) :].unflatten(1, (len(texts), -1)) if views else None
    return [
        {
            name: _plain(tokens.value(layer, name) if name in OF_TOKENS else _value(config, name, layer, plain, seen))
            for name in config.measures
        }
        for layer in range(len(vectors))
    ]


class TokenMetrics:
    """The metrics of token states, one of each kind for every layer: layers come one after another.

    Args:
        config: Which, and of how many prompts.
        texts: Only the first so many of the pass are prompts to measure.
    """

    def __init__(self, config: MetricsConfig, texts: int) -> None:
        self.config = config
        self.names = [name for name in config.measures if name in OF_TOKENS]
        self.prompts = min(texts, config.prompts or texts)
        self.metrics: dict[tuple[int, str], Any] = {}

    def observers(self) -> tuple[Observer, ...]:
        return (self.observe,) if self.names else ()

    def observe(self, layer: int, rectangle: Rectangle) -> None:
        """Add the prompts that are among a rectangle's texts."""
        chosen = rectangle.texts < self.prompts
        if not bool(chosen.any()):
            return
        states, lengths = rectangle.states[chosen], rectangle.lengths[chosen]
        for name in self.names:
            if (layer, name) not in self.metrics:
                self.metrics[layer, name] = self.config.start(name)
            self.metrics[layer, name].update(states, lengths)

    def value(self, layer: int, name: str) -> float:
        return float(self.metrics[layer, name].compute())


def _value(config: MetricsConfig, name: str, layer: int, plain: torch.Tensor, seen: torch.Tensor | None) -> float:
    """One layer at a time: all of them in fp64 would be twice the column."""
    metric = config.start(name)
    if name in OF_VIEWS:
        assert seen is not None
        metric.update(seen[layer])
    else:
        metric.update(plain[layer])
    return float(metric.compute())


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
