"""What a search asks of a policy, and what it tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tl_search.plane.arm import Plane
from tl_search.plane.costs import CostTable
from tl_search.plane.pull import Observation, Pull, Recommendation


@dataclass(frozen=True)
class Problem:
    """What a policy may know before the first score.

    Args:
        plane: The arms.
        tasks: Names, in the suite's order.
        weights: By task, > 0; the objective is the weighted sum of an arm's scores.
        costs: What pulls cost; decisions never read a clock.
        seed: Of every random choice: decision t draws from its own stream of (seed, t).
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
        """The generator of decision t: the same whatever was drawn before, so that a resumed search goes on alike."""
        return np.random.default_rng((self.seed, t, purpose))


class Policy(Protocol):
    """Proposes pulls and learns from what they bring.

    `ask` changes nothing: its answer depends on what was told and on `pending` alone.
    """

    def ask(self, count: int = 1, pending: Sequence[Pull] = ()) -> list[Pull]:
        """The next `count` pulls while `pending` ones are on their way; fewer when less is left, [] at the end."""
        ...

    def tell(self, observation: Observation) -> None:
        """Learn the scores of a pull, asked for or not (cells known from before, cells that came for free)."""
        ...

    def recommend(self) -> Recommendation:
        """The arm to name if the search ended now."""
        ...

    def gaps(self, draws: int) -> np.ndarray | None:
        """Points by which the plane's best arm beats the leader, in joint draws of the belief; None without one."""
        ...

    def posterior(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and sd of every arm's objective in points, each (revision, layer); None without a belief."""
        ...
