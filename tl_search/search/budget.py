"""The budget: how much a search may spend."""

import math
from dataclasses import dataclass
from typing import ClassVar

from tl_search.errors.limits import between
from tl_search.plane.costs import CostTable


@dataclass(frozen=True)
class Budget:
    """The search ends before the pull that would exceed a limit; with two limits, the first one that is reached counts.

    Every search scores the final checkpoint's column, and its leader on every task, even if that exceeds the budget.

    Args:
        share: Largest share of the cost of scoring every cell of the plane, in (0, 1]; None: no limit.
        pulls: Largest number of decisions of the policy, >= 1, without the final column and the leader's last tasks;
            None: no limit.
    """

    share: float | None = 0.25
    pulls: int | None = None

    DECIDES: ClassVar = {"files": "share pulls"}

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share <= 1:  # also refuses NaN
            raise ValueError(f"share: must be above 0 and at most 1, got {self.share:g}")
        between(1, 10**9, pulls=self.pulls)

    def is_spent(self, pulls: int, seconds: float, exhaustive: float) -> bool:
        """Whether the next pull is one too many, after `pulls` decisions of the policy.

        With it `seconds` of the cost table would be spent, where scoring everything costs `exhaustive`.
        """
        limit = math.inf if self.share is None else self.share * exhaustive
        within = seconds <= limit * (1 + 1e-9)  # sums of the same prices in another order differ in the last digits
        return not within or (self.pulls is not None and pulls >= self.pulls)

    def most(self, table: CostTable, columns: int, layers: int) -> float:
        """The most seconds of the cost table that a search spends before the leader's last tasks and the confirmation.

        The final column is scored whatever the budget. A pull is at most a new column with one layer of all tasks.
        """
        exhaustive, final = (table.exhaustive(number, layers).total for number in (columns, 1))
        limit = exhaustive if self.share is None else self.share * exhaustive
        if self.pulls is not None:
            limit = min(limit, final + self.pulls * table.exhaustive(1, 1).total)
        return min(exhaustive, max(final, limit))
