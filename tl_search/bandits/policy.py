"""The interface between a search and a policy, and what the config of a policy must offer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from tl_search.plane.arm import Plane
from tl_search.plane.costs import CostTable
from tl_search.plane.pull import Observation, Pull, Recommendation


@dataclass(frozen=True)
class Problem:
    """What a policy may know before the first score.

    Args:
        tasks: Names, in the suite's order.
        weights: By task, > 0; the objective is the weighted sum of an arm's scores.
        costs: What pulls cost; decisions never read a clock.
        seed: Random seed of every choice; each decision t has a random stream of its own.
    """

    plane: Plane
    tasks: tuple[str, ...]
    weights: Mapping[str, float]
    costs: CostTable
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks: must be one or more, each once, got {list(self.tasks)}")
        for name, known in (
            ("weights", self.weights),
            ("costs.embed", self.costs.embed),
            ("costs.score", self.costs.score),
        ):
            missing = sorted(set(self.tasks) - set(known))
            if missing:
                raise ValueError(f"{name}: must name every task, got none for {', '.join(missing)}")
        if set(self.weights) != set(self.tasks) or not all(weight > 0 for weight in self.weights.values()):
            raise ValueError(f"weights: must be > 0 for the tasks and no others, got {dict(self.weights)}")
        if self.seed < 0:
            raise ValueError(f"seed: must be >= 0, got {self.seed}")

    def stream(self, t: int, purpose: int = 0) -> np.random.Generator:
        """A generator that depends on (seed, t, purpose) alone, so that a resumed search decides as it did before."""
        return np.random.default_rng((self.seed, t, purpose))


class Policy(Protocol):
    """Proposes pulls and learns from their scores.

    `ask` changes nothing: its answer depends on what was told and on `pending` alone.
    """

    def ask(self, count: int = 1, pending: Sequence[Pull] = ()) -> list[Pull]:
        """The next `count` pulls while `pending` ones wait for their scores; fewer near the end, and [] at it."""
        ...

    def tell(self, observation: Observation) -> None:
        """Learn the scores of a pull, whether it was asked for or not."""
        ...

    def recommend(self) -> Recommendation:
        """The arm to recommend if the search ended now: the leader."""
        ...

    def gaps(self, draws: int) -> np.ndarray | None:
        """Points by which the best arm's objective exceeds the leader's, (draw,), in joint draws from the posterior.

        None without a surrogate model, or while too little is known to judge.
        """
        ...

    def posterior(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and sd of every arm's objective in points, each (revision, layer); None without a surrogate model."""
        ...


class PolicyConfig(Protocol):
    """What a config names as `bandit`: a frozen dataclass of a policy's settings, best a subclass of this one.

    Attributes:
        budgeted: Whether the search's budget ends it; False for a policy that must go on until nothing is left.
    """

    budgeted: ClassVar[bool] = True

    def start(self, problem: Problem) -> Policy:
        """A policy that has been told nothing yet."""
        ...
