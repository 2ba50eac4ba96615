"""The surrogate model of the Gaussian-process policies: a Bayesian linear model with one output per task group.

    score of group g at arm a = offset_g + scale_g · [common(a) + own_g(a)] + noise
    objective(a)              = Σ_g weight_g · (score of group g at a)

`common` and `own_g` are random surfaces held as features (`features`), so the posterior is a Gaussian distribution over
their coefficients and the offsets. A group's score is the weighted mean of the scores of its tasks, in points.
"""

import copy
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from tl_search.bandits.features import Surface, surface_features
from tl_search.plane.arm import Plane


@dataclass(frozen=True)
class Prior:
    """The model before the first score; variances are in units of the squared scale.

    The values were fitted by replay on recorded planes of public training runs.

    Args:
        common: The surface that all groups share.
        own: Each group's departure from it.
        noise: Variance of a group's score around its surfaces.
        scale: Points that one unit stands for.
        scale_weight: How many scored arms the prior scale counts for when scales are fitted.
        offset_sd: Standard deviation, in points, of a group's offset around its first score.
        level: Points expected of a group before its first score.
    """

    common: Surface
    own: Surface
    noise: float
    scale: float = 6.0
    scale_weight: float = 4.0
    offset_sd: float = 20.0
    level: float = 50.0


SEVERAL_GROUPS = Prior(
    common=Surface(0.85, 0.30, 0.70, embedding=0.45, ripple=0.008),
    own=Surface(0.12, 0.25, 0.35, embedding=0.25, trace=0.99),
    noise=0.004,
)
ONE_GROUP = Prior(
    common=Surface(1.0, 0.25, 0.45, embedding=0.5, ripple=0.01),
    own=Surface(0.0, 0.25, 0.35, embedding=0.0),
    noise=0.002,
)


class Posterior:
    """The model after some scores, each of an arm (its position in the plane) on a task group (its number).

    Args:
        plane: The arms.
        weights: Weight of each group in the objective, (group,).
        prior: The model before the first score.
    """

    def __init__(self, plane: Plane, weights: np.ndarray, prior: Prior) -> None:
        self.weights, self.prior = weights, prior
        self._common = surface_features(plane, prior.common)
        self._own = surface_features(plane, prior.own) if len(weights) > 1 else np.zeros((len(self._common), 0))
        self._scores: list[tuple[int, int, float]] = []
        self._offset = np.full(len(weights), np.nan)
        self._scale: np.ndarray
        self._mean: np.ndarray  # of the coefficients, as is the covariance
        self._covariance: np.ndarray
        self._objective: np.ndarray  # (arm, coefficient)
        self._moment: np.ndarray  # objective @ covariance, kept because most methods need it
        self._variance: np.ndarray  # of the objective
        self._refit(np.full(len(weights), prior.scale))

    def copy(self) -> "Posterior":
        """A posterior that learns independently; every update replaces arrays, so both may share them."""
        fresh = copy.copy(self)
        fresh._scores, fresh._offset = list(self._scores), self._offset.copy()
        return fresh

    def mean(self) -> np.ndarray:
        """Mean of every arm's objective in points, (arm,)."""
        seen = ~np.isnan(self._offset)
        level = self._offset[seen].mean() if seen.any() else self.prior.level
        return self._objective @ self._mean + self.weights @ np.where(seen, self._offset, level)

    def sd(self) -> np.ndarray:
        """Standard deviation of every arm's objective in points, (arm,)."""
        return np.sqrt(self._variance)

    def draws(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Joint draws of every arm's objective in points, (arm, draw)."""
        size = len(self._mean)
        root = np.linalg.cholesky(self._covariance + 1e-9 * np.eye(size))
        return self.mean()[:, None] + self._objective @ (root @ generator.standard_normal((size, count)))

    def shift(self, arms: np.ndarray, groups: np.ndarray, at: np.ndarray) -> np.ndarray:
        """How scores of `arms` on `groups` would move the mean at the arms `at`: (at, score), times a normal vector.

        The first n columns belong to the first n scores alone.
        """
        rows = self._rows(arms, groups)
        return _whiten(self._root(rows, groups), self._moment[at] @ rows.T)

    def learn(self, arms: np.ndarray, groups: np.ndarray, values: np.ndarray | None) -> None:
        """Condition on scores (in points) of `arms` on `groups`, all of one length.

        Without values, which are not known yet, only the variance shrinks (Desautels et al., 2014).
        """
        rows = self._rows(arms, groups)
        root = self._root(rows, groups)
        gain, moved = _whiten(root, self._covariance @ rows.T), _whiten(root, self._moment @ rows.T)
        if values is not None:
            for arm, group, value in zip(arms, groups, values, strict=True):
                if np.isnan(self._offset[group]):
                    self._offset[group] = value
                self._scores.append((int(arm), int(group), float(value)))
            surprise = values - self._offset[groups] - rows @ self._mean
            self._mean = self._mean + gain @ _whiten(root, surprise[None])[0]
        self._covariance = self._covariance - gain @ gain.T
        self._moment = self._moment - moved @ gain.T
        self._variance = np.maximum(self._variance - np.einsum("ac,ac->a", moved, moved), 1e-12)

    def rescale(self) -> None:
        """Empirical Bayes: each group's scale from the spread of its scores, shrunk towards the prior's.

        A group with fewer than three scores takes the mean change (in logarithms) of the groups that have more, shrunk
        towards none.
        """
        prior, scales = self.prior, np.full(len(self.weights), np.nan)
        for group in range(len(scales)):
            scored = [(arm, value) for arm, of, value in self._scores if of == group]
            if len(scored) < 3:
                continue
            arms, values = np.array([arm for arm, _ in scored]), np.array([value for _, value in scored])
            unit = self._common[arms] @ self._common[arms].T + self._own[arms] @ self._own[arms].T
            unit += prior.noise * np.eye(len(arms)) + 50.0  # the constant absorbs the level
            spread = (values - values.mean()) @ np.linalg.solve(unit, values - values.mean())
            seen, known = prior.scale_weight, len(arms) - 1
            scales[group] = np.sqrt((seen * prior.scale**2 + spread) / (seen + known))
        fitted = ~np.isnan(scales)
        followed = np.exp(np.log(scales[fitted] / prior.scale).sum() / (fitted.sum() + 1))
        scales[~fitted] = prior.scale * followed
        self._refit(np.clip(scales, prior.scale / 8, prior.scale * 4))

    def _refit(self, scales: np.ndarray) -> None:
        """Start from the prior with other scales and condition on all scores at once."""
        self._scale = scales
        every = np.arange(len(self._common))
        by_group = (weight * self._rows(every, np.full(len(every), group)) for group, weight in enumerate(self.weights))
        self._objective = np.add.reduce(list(by_group))
        size = self._objective.shape[1]
        self._mean, self._covariance = np.zeros(size), np.eye(size)
        if self._scores:
            arms, groups, values = (np.array(part) for part in zip(*self._scores, strict=True))
            rows = self._rows(arms, groups)
            weighted = rows / self._noise(groups)[:, None]
            factor = cho_factor(np.eye(size) + rows.T @ weighted)
            self._covariance = cho_solve(factor, np.eye(size))
            self._mean = cho_solve(factor, weighted.T @ (values - self._offset[groups]))
        self._moment = self._objective @ self._covariance
        self._variance = np.maximum(np.einsum("af,af->a", self._moment, self._objective), 1e-12)

    def _rows(self, arms: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Feature rows of scores: [common | own of each group | offset of each group], in points."""
        count, common, own = len(self.weights), self._common.shape[1], self._own.shape[1]
        rows = np.zeros((len(arms), common + count * own + count))
        scale = self._scale[groups][:, None]
        rows[:, :common] = scale * self._common[arms]
        for group in np.unique(groups):
            here = groups == group
            rows[here, common + group * own : common + (group + 1) * own] = scale[here] * self._own[arms[here]]
        rows[np.arange(len(arms)), common + count * own + groups] = self.prior.offset_sd
        return rows

    def _noise(self, groups: np.ndarray) -> np.ndarray:
        return self.prior.noise * self._scale[groups] ** 2 + 1e-9

    def _root(self, rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Cholesky root of the covariance of the scores."""
        spread = rows @ self._covariance @ rows.T
        return np.linalg.cholesky((spread + spread.T) / 2 + np.diag(self._noise(groups)))


def _whiten(root: np.ndarray, against: np.ndarray) -> np.ndarray:
    """`against` (n, score) in coordinates in which the scores are independent with unit variance."""
    return solve_triangular(root, against.T, lower=True, check_finite=False).T
