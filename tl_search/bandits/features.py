"""Smooth surfaces over the plane as a few features, so that the posterior costs little however many arms there are.

Kernels are products over time and depth, so their eigenvectors are products too; the leading ones carry nearly all
of the variance (weight-space view of Gaussian processes: Rasmussen & Williams, 2006, chapter 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tl_search.plane.arm import Plane


@dataclass(frozen=True)
class Surface:
    """A zero-mean random surface; variances are parts of a unit, lengths parts of the plane's sides.

    Args:
        variance: Variance of the smooth part.
        time: Lengthscale of the smooth part along training.
        depth: Lengthscale of the smooth part along the layers.
        embedding: Variance of an offset of layer 0: token embeddings behave like no other layer.
        ripple: Variance of an offset of each layer: odd and even layers differ a little.
        trace: Part of each part's variance that its features keep.
        readout: Variance of an offset of each readout, which holds at every checkpoint and layer.
        alike: Correlation of the surfaces of two readouts, apart from their offsets, in 0..1.
    """

    variance: float
    time: float
    depth: float
    embedding: float
    ripple: float = 0.0
    trace: float = 0.998
    readout: float = 1.0
    alike: float = 0.7


def training_time(steps: Sequence[int]) -> np.ndarray:
    """Training time in 0..1: doublings of the step, counted from the step at which doublings begin to matter.

    A run of more than a hundred thousand steps changes little in its first 256; a run of a few hundred has no time
    for that. So the origin moves with the run's length and every run spans about nine doublings.
    """
    origin = float(np.clip(steps[-1] / 512, 1.0, 256.0))
    doublings = np.log2(1 + np.asarray(steps, float) / origin)
    return doublings / max(doublings[-1], 1e-12)


def surface_features(plane: Plane, surface: Surface) -> np.ndarray:
    """Features (arm, feature) whose inner products are the surface's covariance; arms in the plane's order."""
    time = training_time([revision.step for revision in plane.revisions])
    depth, count = np.asarray(plane.layers, float) / plane.n_layers, len(plane.readouts)
    kinds = np.where(np.eye(count, dtype=bool), 1.0, surface.alike)
    time_apart, depth_apart = np.abs(np.subtract.outer(time, time)), np.abs(np.subtract.outer(depth, depth))
    over_depth = np.kron(kinds, _matern(depth_apart / surface.depth))  # a column: all layers of one readout, the next
    smooth = _product(_matern(time_apart / surface.time), over_depth, surface.trace)
    slow = np.exp(-0.5 * time_apart**2)  # offsets of layers hardly change in training
    only_first = np.outer(depth == 0, depth == 0).astype(float)
    parts = [np.sqrt(surface.variance) * smooth]
    for variance, over_layers in ((surface.ripple, np.eye(len(depth))), (surface.embedding, only_first)):
        if variance > 0:
            offsets = _product(slow, np.kron(kinds, over_layers), min(surface.trace, 0.995))
            parts.append(np.sqrt(variance) * offsets)
    if count > 1:
        of_readout = np.repeat(np.eye(count), len(depth), axis=0)
        parts.append(np.sqrt(surface.readout * surface.variance) * np.tile(of_readout, (len(time), 1)))
    return np.hstack(parts)


def _matern(distance: np.ndarray) -> np.ndarray:
    """Matérn kernel of smoothness 3/2: once differentiable, since scores bend sharply where training turns."""
    scaled = np.sqrt(3) * distance
    return (1 + scaled) * np.exp(-scaled)


def _product(over_time: np.ndarray, over_depth: np.ndarray, trace: float) -> np.ndarray:
    """Leading eigenfeatures of the product kernel that keep a part `trace` of its variance."""
    (times, time_vectors), (depths, depth_vectors) = _eigen(over_time), _eigen(over_depth)
    spectrum = np.outer(times, depths).ravel()
    order = np.argsort(-spectrum, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(spectrum[order]), trace * spectrum.sum())) + 1]
    rows, columns = np.unravel_index(kept, (len(times), len(depths)))
    vectors = np.einsum("tf,lf->tlf", time_vectors[:, rows], depth_vectors[:, columns])
    return vectors.reshape(-1, len(kept)) * np.sqrt(spectrum[kept])


def _eigen(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues >= 0 and vectors with a sign that no linear-algebra library chooses: draws depend on it."""
    values, vectors = np.linalg.eigh(kernel)
    largest = np.argmax(np.abs(vectors), axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.maximum(values, 0.0), vectors * signs
