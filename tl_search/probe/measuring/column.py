"""A column of the plane measured: every metric at every layer, from one forward pass.

Metrics of tokens are measured while a layer's states are in memory; the others, from the pooled vectors afterwards.
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
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.measuring.metric import OfSpectrum, OfVectors, OfViews
from tl_search.probe.measuring.prompts import TokenMetrics
from tl_search.probe.measuring.spectrum import eigenvalues, prepare
from tl_search.probe.measuring.views import noisy_views
from tl_search.probe.session import ProbeSession

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers

log = logging.getLogger(__name__)

# A layer's metrics by name; None where one is not defined, such as the curvature of prompts of two tokens.
Values = dict[str, float | None]


class Measured(NamedTuple):
    """The values of a column.

    Args:
        layers: The metrics of each layer, from layer 0.
        dtype: Of the pass: float32 where the asked one gave vectors that are wrong.
    """

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
    """Measure a column in one pass over the texts, and over their views where a metric compares views.

    As with embeddings, the pass is repeated in float32 where a shorter dtype gives NaN, infinity, zeros or vectors that
    are all the same.

    Args:
        revision, folder, extraction: As for `probe.embed.embed_column`.
        texts: The first of them are the prompts whose token states are measured.
        session: Computes, on one device.
        config: Which metrics.

    Raises:
        ValueError, NonFiniteError: as in `probe.embed.embed_column`.
    """
    views = noisy_views(texts, config.views, config.noise, config.seed) if config.of_views else []
    every = [*texts, *(view for of_text in views for view in of_text)]
    tokens = TokenMetrics(config, len(texts))
    column = None
    try:
        # observed even where no metric is of tokens: an unobserved pass repeats itself in float32 and does not say so
        column = column_vectors(revision, folder, every, extraction, session, [tokens.observe])
    except ImpreciseError as fault:
        log.warning("%s; measuring the column again in float32", fault)
    if column is None:  # not within `except`: there the error's traceback holds the first column
        return measure_column(revision, folder, texts, in_float32(extraction), session, config)
    vectors = torch.from_numpy(column)
    of_texts = {name: metric for name, metric in config.metrics.items() if isinstance(metric, OfVectors)}
    of_views = {name: metric for name, metric in config.metrics.items() if isinstance(metric, OfViews)}
    layers = []
    for layer, plain in enumerate(vectors[:, : len(texts)]):  # one by one: all in fp64 would be twice the column
        values = _of_texts(of_texts, plain)
        for name, metric in of_views.items():
            values[name] = float(metric.measure(vectors[layer, len(texts) :].unflatten(0, (len(texts), -1))))
        values |= {name: tokens.value(layer, name) for name in tokens.metrics}
        layers.append({name: value if math.isfinite(value := values[name]) else None for name in config.measures})
    return Measured(layers, extraction.dtype)


def _of_texts(metrics: Mapping[str, OfVectors], vectors: Float[Tensor, "text width"]) -> dict[str, float]:
    """The metrics of a layer's vectors; a spectrum is computed once for all metrics that need the same."""
    values, spectra = {}, dict[tuple[bool, bool], Tensor]()
    for name, metric in metrics.items():
        if isinstance(metric, OfSpectrum):
            if metric.preparation not in spectra:
                spectra[metric.preparation] = eigenvalues(prepare(vectors, *metric.preparation))
            values[name] = float(metric.of_spectrum(spectra[metric.preparation], *vectors.shape))
        else:
            values[name] = float(metric.measure(vectors))
    return values
