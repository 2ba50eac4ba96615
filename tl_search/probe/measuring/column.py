"""A column of the plane measured: every metric at every layer, from one forward pass.

Metrics of tokens are measured while a layer's states are in memory; the others, from the pooled vectors afterwards.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tl_search.plane.extraction import Dtype, Extraction
from tl_search.plane.revision import Revision
from tl_search.probe.embed import ImpreciseError, column_vectors, in_float32
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.probe.measuring.metric import Metric, OfSpectrum, OfVectors, OfViews
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
    every, tokens = _with_views(texts, config), TokenMetrics(config, len(texts))
    column = None
    try:
        # observed even where no metric is of tokens: an unobserved pass repeats itself in float32 and does not say so
        column = column_vectors(revision, folder, every, extraction, session, [tokens.observe])
    except ImpreciseError as fault:
        log.warning("%s; measuring the column again in float32", fault)
    if column is None:  # not within `except`: there the error's traceback holds the first column
        return measure_column(revision, folder, texts, in_float32(extraction), session, config)
    metrics, layers = config.metrics, []
    for layer, vectors in enumerate(column):  # one by one: all in fp64 would be twice the column
        of_tokens = {name: tokens.value(layer, name) for name in tokens.metrics}
        layers.append(_known(_of_vectors(metrics, vectors, len(texts)) | of_tokens, config))
    return Measured(layers, extraction.dtype)


class UnderReadout(NamedTuple):
    """The metrics of one layer's vectors as they are, and of the same texts' vectors under a readout."""

    raw: Values
    readout: Values


def measure_readout(
    revision: Revision,
    folder: Path,
    texts: Sequence[str],
    extraction: Extraction,
    session: ProbeSession,
    config: MetricsConfig,
    layers: Sequence[int],
    apply: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> UnderReadout:
    """Measure one layer without and with a readout, in one pass over the texts and their views.

    A readout maps pooled vectors, so metrics of token states have no meaning under it, and are left out of both.

    Args:
        revision, folder, texts, extraction, session, config: As for `measure_column`. The map should have been fitted
            on other texts, or a whitened spectrum only tells that it was fitted.
        layers: Those that the readout takes; the last of them is the measured one.
        apply: The readout's map (`probe.readout.Map`): the vectors (text, width) of these layers → its own.

    Raises:
        ValueError, NonFiniteError: as in `probe.embed.embed_column`.
    """
    column = column_vectors(revision, folder, _with_views(texts, config), extraction, session)
    taken = [column[layer] for layer in layers]
    both = (_of_vectors(config.metrics, vectors, len(texts)) for vectors in (taken[-1], apply(taken)))
    return UnderReadout(*(_known(values, config) for values in both))


def _with_views(texts: Sequence[str], config: MetricsConfig) -> list[str]:
    """The texts, and then the views of each, where a metric compares views."""
    views = noisy_views(texts, config.views, config.noise, config.seed) if config.of_views else []
    return [*texts, *(view for of_text in views for view in of_text)]


def _known(values: Mapping[str, float], config: MetricsConfig) -> Values:
    """The values in the config's order; one that is no number is None."""
    return {name: values[name] if math.isfinite(values[name]) else None for name in config.measures if name in values}


def _of_vectors(metrics: Mapping[str, Metric], vectors: np.ndarray, texts: int) -> dict[str, float]:
    """The metrics of a layer's vectors (text and view, width): of so many texts, and then of the views of each."""
    tensor = torch.from_numpy(vectors)
    plain, views = tensor[:texts], tensor[texts:]
    values = _of_texts({name: metric for name, metric in metrics.items() if isinstance(metric, OfVectors)}, plain)
    for name, metric in metrics.items():
        if isinstance(metric, OfViews):
            values[name] = float(metric.measure(views.unflatten(0, (texts, -1))))
    return values


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
