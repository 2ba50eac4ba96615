"""What every policy has to beat."""

from dataclasses import dataclass

from tl_search.bandits.order import RulePolicy
from tl_search.bandits.policy import Policy, Problem


@dataclass(frozen=True)
class Random:
    """Random unseen arms, all tasks of each."""

    def start(self, problem: Problem) -> Policy:
        return RulePolicy(problem, lambda left, generator: left[generator.integers(len(left))])
