"""Which candidate arm to score next, and on which task groups: the knowledge gradient per second.

The knowledge gradient of some scores is the points by which the best posterior mean is expected to rise once they are
known (Frazier et al., 2009). What is compared is the unseen task groups of one arm, cheapest first, and the same for
several layers of a column together, since one layer alone may not be worth the price of opening the column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm, qmc

from tl_search.bandits.history import History
from tl_search.bandits.posterior import Posterior

RIVALS = 600  # arms that may become the leader; the others cannot by any likely score
LAYERS = 6  # of a column, valued together
POINTS = 128  # over which an expected value is averaged


@dataclass(frozen=True)
class Proposal:
    """Task groups to score at a candidate arm; `gain` is their knowledge gradient in points per second."""

    arm: int
    groups: tuple[int, ...]
    gain: float


class KnowledgeGradient:
    """Compares what may be scored next under one posterior.

    Args:
        value: Points expected of each arm's objective, (arm,); -inf where it can never be known.
        seen: (arm, group), whether nothing is left to score there.

    Attributes:
        open: (arm,), whether something is left to score there that may matter.
    """

    def __init__(
        self,
        history: History,
        groups: Sequence[tuple[str, ...]],
        posterior: Posterior,
        value: np.ndarray,
        seen: np.ndarray,
    ) -> None:
        self._history, self._groups, self._posterior = history, groups, posterior
        self._value, self._seen = value, seen
        self.open = np.isfinite(value) & ~seen.all(axis=1)
        self._upper = value + 3 * posterior.sd()
        self._rivals = np.sort(np.argsort(-self._upper, kind="stable")[:RIVALS])
        self._leader = float(value.max())

    def best(self, candidates: Sequence[int]) -> Proposal:
        """The proposal of the largest gain for the candidates, all of them open, or for layers of their columns."""
        width = self._history.problem.plane.width
        proposals = [proposal for arm in candidates for proposal in self._proposals(arm, [arm])]
        for column in dict.fromkeys(arm // width for arm in candidates):
            arms = [arm for arm in range(column * width, (column + 1) * width) if self.open[arm]]
            arms = sorted(arms, key=lambda arm: -self._upper[arm])[:LAYERS]
            if len(arms) > 1:
                proposals += self._proposals(arms[0], arms)
        return max(proposals, key=lambda proposal: proposal.gain)

    def most_promising(self) -> int | None:
        """The open arm of the largest expected improvement over the leader; None when no arm is open."""
        arms = np.flatnonzero(self.open)
        if not len(arms):
            return None
        sd = np.maximum(self._posterior.sd()[arms], 1e-9)
        ahead = (self._value[arms] - self._leader) / sd
        return int(arms[np.argmax(sd * (ahead * ndtr(ahead) + norm.pdf(ahead)))])

    def _proposals(self, first: int, arms: Sequence[int]) -> list[Proposal]:
        """The cheapest unseen group of `arms`, the two cheapest, and so on, each valued over all `arms` together.

        What is proposed of it are the groups at `first`, one of `arms`; the others are left to later decisions.
        """
        pairs: list[tuple[int, int]] = []  # (arm, group)
        sizes: list[int] = []
        for group in range(len(self._groups)):
            fresh = [(arm, group) for arm in arms if not self._seen[arm, group]]
            if fresh:
                pairs += fresh
                sizes.append(len(pairs))
        at, unseen = np.array(pairs).T
        shift = self._posterior.shift(at, unseen, self._rivals)
        normal = _standard_normal(len(pairs))
        moved, before, proposals = self._value[self._rivals][:, None], 0, []
        for size in sizes:
            moved = moved + shift[:, before:size] @ normal[before:size]
            gain = max(float(np.mean(moved.max(axis=0))) - self._leader, 1e-9)
            price = max(self._price(pairs[:size]), 1e-9)
            groups = tuple(group for arm, group in pairs[:size] if arm == first)
            if groups:
                proposals.append(Proposal(first, groups, gain / price))
            before = size
        return proposals

    def _price(self, pairs: Sequence[tuple[int, int]]) -> float:
        """Seconds for scoring pairs (arm, group) of one column."""
        arms = self._history.problem.plane.arms()
        cells = [(arms[arm].place, task) for arm, group in pairs for task in self._groups[group]]
        return self._history.spending.price_column(arms[pairs[0][0]].revision.name, cells).total


@lru_cache(maxsize=64)
def _standard_normal(dimensions: int) -> np.ndarray:
    """Evenly spread standard normal points (dimension, point), centred so that no gain is negative."""
    uniform = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(0)).random(POINTS)
    normal = norm.ppf(np.clip(uniform, 1e-6, 1 - 1e-6)).T
    return normal - normal.mean(axis=1, keepdims=True)
