"""What a Gaussian-process policy believes of every arm: a Bayesian linear model with one output per rung.

    score of rung r at arm a = offset_r + scale_r · [common(a) + own_r(a)] + noise
    objective(a)             = Σ_r weight_r · (score of rung r at a)

`common` and `own_r` are random surfaces held as features (`features`), so every belief is a Gaussian over their
coefficients and the offsets.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from tl_search.bandits.features import Surface, surface_features
from tl_search.plane.arm import Plane


@dataclass(frozen=True)
class Prior:
    """What is believed before the first score; variances in units of the squared scale.

    The values were fitted by replay on recorded planes of public training runs.

    Args:
        common: The surface that all rungs share.
        own: Each rung's departure from it.
        noise: Variance of a cell around its surfaces.
        scale: Points that one unit stands for.
        scale_weight: How many arms' evidence the prior scale is worth.
        offset_sd: Points by which a rung's level may differ from its first score.
        level: Points expected of a rung before its first score.
    """

    common: Surface
    own: Surface
    noise: float
    scale: float = 6.0
    scale_weight: float = 4.0
    offset_sd: float = 20.0
    level: float = 50.0


RUNGS = Prior(
    common=Surface(0.85, 0.30, 0.70, embedding=0.45, ripple=0.008),
    own=Surface(0.12, 0.25, 0.35, embedding=0.25, trace=0.99),
    noise=0.004,
)
ONE_RUNG = Prior(
    common=Surface(1.0, 0.25, 0.45, embedding=0.5, ripple=0.01),
    own=Surface(0.0, 0.25, 0.35, embedding=0.0),
    noise=0.002,
)


class Posterior:
    """The belief after some cells; a cell is (arm's position in the plane, rung)."""

    def __init__(self, plane: Plane, weights: np.ndarray, prior: Prior) -> None:
        self.weights, self.prior = weights, prior
        self._common = surface_features(plane, prior.common)
        self._own = surface_features(plane, prior.own) if len(weights) > 1 else np.zeros((len(self._common), 0))
        self._cells: list[tuple[int, int, float]] = []
        self._offset = np.full(len(weights), np.nan)
        self._scale: np.ndarray
        self._mean: np.ndarray  # of the coefficients, as is the covariance
        self._covariance: np.ndarray
        self._objective: np.ndarray  # (arm, coefficient)
        self._moment: np.ndarray  # objective @ covariance, kept because it is what every question needs
        self._variance: np.ndarray  # of the objective
        self._refit(np.full(len(weights), prior.scale))

    def copy(self) -> "Posterior":
        """A belief that can learn on its own; every update replaces arrays, so they may be shared."""
        copy = object.__new__(Posterior)
        copy.__dict__.update(self.__dict__)
        copy._cells, copy._offset = list(self._cells), self._offset.copy()
        return copy

    def mean(self) -> np.ndarray:
        """Points expected of every arm's objective."""
        seen = ~np.isnan(self._offset)
        level = self._offset[seen].mean() if seen.any() else self.prior.level
        return self._objective @ self._mean + self.weights @ np.where(seen, self._offset, level)

    def sd(self) -> np.ndarray:
        return np.sqrt(self._variance)

    def draws(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Joint draws of every arm's objective, (arm, draw)."""
        size = len(self._mean)
        root = np.linalg.cholesky(self._covariance + 1e-9 * np.eye(size))
        return self.mean()[:, None] + self._objective @ (root @ generator.standard_normal((size, count)))

    def shift(self, arms: np.ndarray, rungs: np.ndarray, at: np.ndarray) -> np.ndarray:
        """How scoring these cells would move the mean at the arms `at`: times a standard normal vector, (at, cell).

        Columns are nested: the first n belong to scoring the first n cells alone.
        """
        rows = self._rows(arms, rungs)
        return _whiten(self._root(rows, rungs), self._moment[at] @ rows.T)

    def learn(self, arms: np.ndarray, rungs: np.ndarray, values: np.ndarray | None) -> None:
        """Condition on cells; without values they only narrow the belief (Desautels et al., 2014)."""
        rows = self._rows(arms, rungs)
        root = self._root(rows, rungs)
        gain, moved = _whiten(root, self._covariance @ rows.T), _whiten(root, self._moment @ rows.T)
        if values is not None:
            self._see(arms, rungs, values)
            surprise = values - self._offset[rungs] - rows @ self._mean
            self._mean = self._mean + gain @ _whiten(root, surprise[None])[0]
        self._covariance = self._covariance - gain @ gain.T
        self._moment = self._moment - moved @ gain.T
        self._variance = np.maximum(self._variance - np.einsum("ac,ac->a", moved, moved), 1e-12)

    def rescale(self) -> None:
        """Empirical Bayes: each rung's scale from the spread of its scores, shrunk towards the prior's.

        Rungs with too few scores follow the others, the less so the fewer there are to follow.
        """
        prior, scales = self.prior, np.full(len(self.weights), np.nan)
        for rung in range(len(scales)):
            cells = [(arm, value) for arm, of, value in self._cells if of == rung]
            if len(cells) < 3:
                continue
            arms, values = np.array([arm for arm, _ in cells]), np.array([value for _, value in cells])
            unit = self._common[arms] @ self._common[arms].T + self._own[arms] @ self._own[arms].T
            unit += prior.noise * np.eye(len(arms)) + 50.0  # the constant absorbs the level
            spread = (values - values.mean()) @ np.linalg.solve(unit, values - values.mean())
            seen, known = prior.scale_weight, len(arms) - 1
            scales[rung] = np.sqrt((seen * prior.scale**2 + spread) / (seen + known))
        fitted = ~np.isnan(scales)
        followed = np.exp(np.log(scales[fitted] / prior.scale).sum() / (fitted.sum() + 1))
        scales[~fitted] = prior.scale * followed
        self._refit(np.clip(scales, prior.scale / 8, prior.scale * 4))

    def _see(self, arms: np.ndarray, rungs: np.ndarray, values: np.ndarray) -> None:
        for arm, rung, value in zip(arms, rungs, values, strict=True):
            if np.isnan(self._offset[rung]):
                self._offset[rung] = value
            self._cells.append((int(arm), int(rung), float(value)))

    def _refit(self, scales: np.ndarray) -> None:
        """Start from the prior with other scales and take all cells at once."""
        self._scale = scales
        every = np.arange(len(self._common))
        by_rung = (weight * self._rows(every, np.full(len(every), rung)) for rung, weight in enumerate(self.weights))
        self._objective = np.add.reduce(list(by_rung))
        size = self._objective.shape[1]
        self._mean, self._covariance = np.zeros(size), np.eye(size)
        if self._cells:
            arms, rungs, values = (np.array(column) for column in zip(*self._cells, strict=True))
            rows = self._rows(arms, rungs)
            weighted = rows / self._noise(rungs)[:, None]
            factor = cho_factor(np.eye(size) + rows.T @ weighted)
            self._covariance = cho_solve(factor, np.eye(size))
            self._mean = cho_solve(factor, weighted.T @ (values - self._offset[rungs]))
        self._moment = self._objective @ self._covariance
        self._variance = np.maximum(np.einsum("af,af->a", self._moment, self._objective), 1e-12)

    def _rows(self, arms: np.ndarray, rungs: np.ndarray) -> np.ndarray:
        """Feature rows of cells: [common | own of each rung | offset of each rung], in points."""
        count, common, own = len(self.weights), self._common.shape[1], self._own.shape[1]
        rows = np.zeros((len(arms), common + count * own + count))
        scale = self._scale[rungs][:, None]
        rows[:, :common] = scale * self._common[arms]
        for rung in np.unique(rungs):
            here = rungs == rung
            rows[here, common + rung * own : common + (rung + 1) * own] = scale[here] * self._own[arms[here]]
        rows[np.arange(len(arms)), common + count * own + rungs] = self.prior.offset_sd
        return rows

    def _noise(self, rungs: np.ndarray) -> np.ndarray:
        return self.prior.noise * self._scale[rungs] ** 2 + 1e-9

    def _root(self, rows: np.ndarray, rungs: np.ndarray) -> np.ndarray:
        """Cholesky root of the covariance of the cells' scores."""
        spread = rows @ self._covariance @ rows.T
        return np.linalg.cholesky((spread + spread.T) / 2 + np.diag(self._noise(rungs)))


def _whiten(root: np.ndarray, against: np.ndarray) -> np.ndarray:
    """`against` (n, cell) in coordinates in which the cells' scores are independent with unit variance."""
    return solve_triangular(root, against.T, lower=True, check_finite=False).T
