"""Fits readouts without labels, and applies them: affine maps from the vectors of one or several layers to an arm's.

Everything is computed in float64, on texts in a fixed order, so that the same vectors give the same map. A principal
component has no sign of its own; here its largest entry is positive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from tl_search.plane.readout import Form, Readout, Shrinkage


@dataclass(frozen=True)
class Map:
    """An affine map: `((x - centre) * scale) @ rotation`, of x (text, dimension).

    Args:
        centre: (dimension,); the dimensions of all layers, one layer after the other.
        scale: (dimension,); 0 where the dimension was the same for every text, and tells nothing.
        rotation: (dimension, rank), or None: nothing is rotated.
        summed: How many layers of equal width are added up; 1 = none.
    """

    centre: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray | None = None
    summed: int = 1

    def __call__(self, layers: Sequence[np.ndarray]) -> np.ndarray:
        """The vectors (text, rank or width) in float32 of what these layers, each (text, width), hold."""
        out: np.ndarray | None = None
        start = 0
        for vectors in layers:  # one by one: a window of a large model does not fit into memory side by side
            here = slice(start, start + vectors.shape[1])
            part = (vectors.astype(np.float64) - self.centre[here]) * self.scale[here]
            if self.rotation is not None:
                part = part @ self.rotation[here]
            elif self.summed == 1:
                out = part
                break
            out = part if out is None else out + part
            start = here.stop
        assert out is not None
        return np.ascontiguousarray(out, np.float32)

    @property
    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """The same as a linear layer of all layers side by side: weights (rank or width, dimension) and a bias."""
        width = len(self.centre) // self.summed
        turn = np.tile(np.eye(width), (self.summed, 1)) if self.rotation is None else self.rotation
        weights = (self.scale[:, None] * turn).T
        return weights, -weights @ self.centre

    def arrays(self) -> dict[str, np.ndarray]:
        """What a store keeps."""
        found = {"centre": self.centre, "scale": self.scale, "summed": np.array([self.summed], np.int64)}
        return found if self.rotation is None else {**found, "rotation": self.rotation}

    @staticmethod
    def is_one(arrays: Mapping[str, np.ndarray]) -> bool:
        """Whether arrays of a store, whoever wrote them, are a map."""
        shapes = {name: array.shape for name, array in arrays.items()}
        size = shapes.get("centre", ())
        rotation = shapes.get("rotation", (*size, 1))
        fits = len(size) == 1 and shapes.get("scale") == size and shapes.get("summed") == (1,)
        return (
            fits and len(rotation) == 2 and rotation[:1] == size and all(np.isfinite(a).all() for a in arrays.values())
        )

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "Map":
        """From what `arrays` gave."""
        return cls(arrays["centre"], arrays["scale"], arrays.get("rotation"), int(arrays["summed"][0]))


def needed_texts(readout: Readout, width: int) -> int:
    """How many texts a fit needs at least, for a model of this width: one more than there are components."""
    return 2 if not readout.form.whitens else (readout.rank or width) + 1


def fit(readout: Readout, layers: Sequence[np.ndarray]) -> Map:
    """The map of a readout other than raw.

    Args:
        readout: What the map does.
        layers: The vectors (text, width) of the readout's layers, of texts that no arm is scored on.

    Raises:
        ValueError: there are too few texts, the rank is above the number of dimensions, the vectors are not finite, or
            all texts have the same vector.
    """
    count, width = layers[0].shape
    if count < (least := needed_texts(readout, width)):
        raise ValueError(f"readout: {readout.form.value} needs at least {least} texts to be fitted on, got {count}")
    if readout.rank is not None and readout.rank > width * len(layers):
        raise ValueError(
            f"readout: rank must be <= {width * len(layers)}, the number of dimensions, got {readout.rank}"
        )
    parts = [part.astype(np.float64) for part in layers]
    if not all(np.isfinite(part).all() for part in parts):
        raise ValueError("readout: the vectors that it is fitted on are not all finite")
    vectors = np.concatenate(parts, axis=1)
    centre = vectors.mean(axis=0)
    vectors -= centre
    spread = np.sqrt(np.mean(vectors**2, axis=0))
    alive = spread > 1e-7 * np.maximum(np.abs(centre), spread.max())
    if not alive.any():
        raise ValueError("readout: all texts that it is fitted on have the same vector")
    inverse = np.divide(1.0, spread, out=np.zeros_like(spread), where=alive)
    match readout.form:
        case Form.standardised:
            return Map(centre, inverse)
        case Form.mean:
            return Map(centre, inverse / len(layers), summed=len(layers))
        case Form.joined:
            return Map(centre, inverse, _whitening(vectors * inverse, readout.rank or width, readout.shrinkage))
    return Map(centre, alive.astype(float), _whitening(vectors * alive, readout.rank or width, readout.shrinkage))


def _whitening(centred: np.ndarray, rank: int, shrinkage: Shrinkage) -> np.ndarray:
    """(dimension, rank): the leading principal components of centred vectors, divided by their standard deviations.

    With more dimensions than texts, they are found by the texts' inner products, a smaller matrix with the same
    spectrum. Components without variance, which shrinkage alone would give one, are zero.
    """
    count, width = centred.shape
    few = count < width
    square = centred @ centred.T if few else centred.T @ centred  # the same nonzero eigenvalues
    largest = min(rank, len(square))
    values, vectors = eigh(square, subset_by_index=[len(square) - largest, len(square) - 1])
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    kept = values > values[0] * max(count, width) * np.finfo(float).eps
    if few:  # from the texts' coordinates to directions of unit length
        vectors = centred.T @ np.divide(vectors, np.sqrt(values), out=np.zeros_like(vectors), where=kept)
    else:
        vectors = vectors * kept
    mean = float(np.sum(centred**2)) / count / width
    share = 0.0 if shrinkage is Shrinkage.none else ledoit_wolf_share(centred, square)
    # the unbiased variance, as scikit-learn's PCA has it, when nothing is shrunk
    variances = (1 - share) * values / (count - (shrinkage is Shrinkage.none)) + share * mean
    signs = np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])])
    rotation = vectors * signs / np.sqrt(np.where(kept, variances, 1.0))
    return np.pad(rotation, ((0, 0), (0, rank - rotation.shape[1])))


def ledoit_wolf_share(centred: np.ndarray, square: np.ndarray) -> float:
    """How far the covariance is shrunk to a multiple of the identity, in 0..1.

    The formula of Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004), lemma
    3.2 and below. scikit-learn's function gives the same, but always makes the matrix of all dimensions.

    Args:
        centred: (text, dimension), with mean 0.
        square: The inner products of its rows or of its columns.
    """
    count, width = centred.shape
    lengths = np.einsum("td,td->t", centred, centred)
    mean = lengths.sum() / count / width
    of_covariance = float(np.sum(square**2)) / count**2  # squared Frobenius norm
    apart = (of_covariance - width * mean**2) / width
    noise = (float(np.sum(lengths**2)) / count - of_covariance) / count / width
    return float(np.clip(noise / apart, 0.0, 1.0)) if width > 1 and apart > 0 else 0.0
