"""A column of the plane measured: every metric at every layer, from one forward pass.

What is measured of tokens is measured while a layer's states are alive; what is measured of texts, from the vectors
that the pass leaves.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.embed import ImpreciseError, column_vectors, in_float32
from tl_search.probe.metrics.accumulate import Pooled, Spectral
from tl_search.probe.metrics.config import OF_TOKENS, OF_VIEWS, MetricsConfig
from tl_search.probe.metrics.prompts import TokenMetrics
from tl_search.probe.metrics.spectrum import eigenvalues, prepare
from tl_search.probe.metrics.views import noisy_views
from tl_search.probe.session import ProbeSession

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers

log = logging.getLogger(__name__)

# A layer's metrics by name; None where there is nothing to measure, as the curvature of prompts of two tokens.
Values = dict[str, float | None]


class Measured(NamedTuple):
    """What every layer measures, from layer 0, and the dtype of the pass that gave it."""

    layers: list[Values]
    dtype: Dtype


def measure_column(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    session: ProbeSession,
    config: MetricsConfig,
) -> Measured:
    """One pass over the texts, and over their views where the config asks for any.

    As with embeddings, what gives NaN, infinity, zeros or vectors that are the same in a shorter dtype is passed again
    in float32.

    Raises:
        ValueError, NonFiniteError: as in `probe.embed.embed_column`.
    """

    def measured(extraction: Extraction) -> Measured:
        return Measured(_measure(revision, folder, texts, extraction, session, config), extraction.dtype)

    try:
        return measured(extraction)
    except ImpreciseError as fault:
        log.warning("%s; measuring the column again in float32", fault)
    return measured(in_float32(extraction))


def _measure(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    session: ProbeSession,
    config: MetricsConfig,
) -> list[Values]:
    views = noisy_views(texts, config.views, config.noise, config.seed) if config.of_views else []
    every = [*texts, *(view for of_text in views for view in of_text)]
    tokens = TokenMetrics(config, len(texts))
    # watched even where nothing is of tokens: an unwatched pass would repeat itself in float32 and not say so here
    vectors = torch.from_numpy(column_vectors(revision, folder, every, extraction, session, [tokens.observe]))
    of_texts = {name: config.start(name) for name in config.measures if name not in OF_TOKENS}
    of_views = {name: of_texts.pop(name) for name in OF_VIEWS if name in of_texts}
    layers = []
    for layer, plain in enumerate(vectors[:, : len(texts)]):  # one by one: all in fp64 would be twice the column
        seen = vectors[layer, len(texts) :].unflatten(0, (len(texts), -1)) if views else None
        values = _of_texts(of_texts, plain)
        values |= {name: float(metric.measure(seen)) for name, metric in of_views.items()}
        values |= {name: tokens.value(layer, name) for name in tokens.metrics}
        layers.append({name: value if math.isfinite(value := values[name]) else None for name in config.measures})
    return layers


def _of_texts(metrics: Mapping[str, Pooled], vectors: Float[Tensor, "text width"]) -> dict[str, float]:
    """The metrics of a layer's vectors; those of one spectrum share it."""
    values, spectra = {}, dict[tuple[bool, bool], Tensor]()
    for name, metric in metrics.items():
        if isinstance(metric, Spectral):
            if metric.preparation not in spectra:
                spectra[metric.preparation] = eigenvalues(prepare(vectors, *metric.preparation))
            values[name] = float(metric.of_spectrum(spectra[metric.preparation], *vectors.shape))
        else:
            values[name] = float(metric.measure(vectors))
    return values
