"""Random search: the baseline that every other policy has to beat."""

from dataclasses import dataclass

from tl_search.bandits.fixed_order import FixedOrder
from tl_search.bandits.policy import Policy, PolicyConfig, Problem


@dataclass(frozen=True)
class Random(PolicyConfig):
    """Arms in random order, all tasks of each."""

    def start(self, problem: Problem) -> Policy:
        return FixedOrder(problem, lambda left, generator: left[generator.integers(len(left))])
