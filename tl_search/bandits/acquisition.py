"""What to buy next: the pull whose scores are expected to raise the leader's score most per second.

The knowledge gradient (Frazier et al., 2009) of a set of cells is the expected rise of the best posterior mean when
they are scored. Sets are an arm's cells on its cheapest unseen rungs, and the same for several layers of a column:
opening a column may pay for its layers together where it pays for none alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm, qmc

from tl_search.bandits.posterior import Posterior
from tl_search.bandits.record import Record

CONTENDERS = 600  # arms that may become the leader; the rest cannot by any likely score
LAYERS = 6  # of a column, valued together
POINTS = 128


@dataclass(frozen=True)
class Purchase:
    """Rungs to score at an arm, and why: `gain` points expected per second."""

    arm: int
    rungs: tuple[int, ...]
    gain: float


class Market:
    """Values and prices of unseen cells under one belief.

    Args:
        record: Decides prices and which cells are taken.
        groups: The tasks of each rung.
        posterior: The belief.
        value: Expected objective by arm, -inf where an arm is out of the race.
        seen: (arm, rung), nothing left to score.
    """

    def __init__(
        self,
        record: Record,
        groups: Sequence[tuple[str, ...]],
        posterior: Posterior,
        value: np.ndarray,
        seen: np.ndarray,
    ) -> None:
        self._record, self._groups, self._posterior = record, groups, posterior
        self._value, self._seen = value, seen
        self._reach = value + 3 * posterior.sd()
        self._race = np.sort(np.argsort(-self._reach, kind="stable")[:CONTENDERS])
        self._leader = float(value.max())

    def best(self, candidates: Sequence[int]) -> Purchase:
        """The best purchase among the candidates, all of them open, and the columns that they lie in."""
        width = self._record.problem.plane.n_layers + 1
        offers = [offer for arm in candidates for offer in self._offers(arm, [arm])]
        for column in dict.fromkeys(arm // width for arm in candidates):
            arms = [arm for arm in range(column * width, (column + 1) * width) if self._open(arm)]
            arms = sorted(arms, key=lambda arm: -self._reach[arm])[:LAYERS]
            if len(arms) > 1:
                offers += self._offers(arms[0], arms)
        return max(offers, key=lambda offer: offer.gain)

    def most_promising(self) -> int | None:
        """The open arm of largest expected improvement over the leader."""
        open_ = np.flatnonzero(np.isfinite(self._value) & ~self._seen.all(axis=1))
        if not len(open_):
            return None
        width = np.maximum(self._posterior.sd()[open_], 1e-9)
        ahead = (self._value[open_] - self._leader) / width
        return int(open_[np.argmax(width * (ahead * ndtr(ahead) + norm.pdf(ahead)))])

    def _open(self, arm: int) -> bool:
        return bool(np.isfinite(self._value[arm]) and not self._seen[arm].all())

    def _offers(self, named: int, arms: Sequence[int]) -> list[Purchase]:
        """Every prefix of the unseen rungs of `arms`, bought together; the first pull of them is at `named`."""
        sizes, cells = [], []
        for rung in range(len(self._groups)):
            fresh = [(arm, rung) for arm in arms if not self._seen[arm, rung]]
            if fresh:
                cells += fresh
                sizes.append(len(cells))
        where, rungs = np.array(cells).T
        shift = self._posterior.shift(where, rungs, self._race)
        normal = _standard_normal(len(cells))
        moved, before, offers = self._value[self._race][:, None], 0, []
        for size in sizes:
            moved = moved + shift[:, before:size] @ normal[before:size]
            gain = max(float(np.mean(moved.max(axis=0))) - self._leader, 1e-9)
            price = max(self._price(cells[:size]), 1e-9)
            bought = tuple(rung for arm, rung in cells[:size] if arm == named)
            if bought:
                offers.append(Purchase(named, bought, gain / price))
            before = size
        return offers

    def _price(self, cells: Sequence[tuple[int, int]]) -> float:
        """Seconds for cells of one column."""
        plane = self._record.problem.plane
        column, layers = plane.arms()[cells[0][0]].revision.name, len(plane.layers)
        wanted = [(arm % layers, task) for arm, rung in cells for task in self._groups[rung]]
        return self._record.spending.price_column(column, wanted).total


@lru_cache(maxsize=64)
def _standard_normal(dimensions: int) -> np.ndarray:
    """Evenly spread standard normal points (dimension, point), centred so that scoring never looks harmful."""
    uniform = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(0)).random(POINTS)
    normal = norm.ppf(np.clip(uniform, 1e-6, 1 - 1e-6)).T
    return normal - normal.mean(axis=1, keepdims=True)
