"""When a search may end before its budget."""

from dataclasses import dataclass

import numpy as np

from tl_search.bandits.policy import Policy


@dataclass(frozen=True)
class Stopping:
    """Ends a search once the leader is as good as the best; with a policy that believes nothing, never.

    The two rules keep two promises. With a confidence, this search's leader is within epsilon so probably; without,
    leaders are within epsilon on average over many searches, which costs about a quarter less and errs more often.

    Args:
        epsilon: Points that the search may stay below the best arm, >= 0.
        confidence: Probability at which the leader must be within epsilon, in (0, 1]; null stops as soon as the
            expected gap is below epsilon.
        draws: Joint draws of the belief that it is judged by, >= 1.
    """

    epsilon: float = 0.25
    confidence: float | None = 0.9
    draws: int = 128

    def __post_init__(self) -> None:
        if not self.epsilon >= 0:  # also refuses NaN
            raise ValueError(f"epsilon: must be >= 0, got {self.epsilon:g}")
        if self.confidence is not None and not 0 < self.confidence <= 1:
            raise ValueError(f"confidence: must be in (0, 1] or null, got {self.confidence:g}")
        if self.draws < 1:
            raise ValueError(f"draws: must be >= 1, got {self.draws}")

    def should_stop(self, policy: Policy) -> bool:
        gaps = policy.gaps(self.draws)
        if gaps is None:
            return False
        if self.confidence is None:
            return bool(gaps.mean() < self.epsilon)
        return bool(np.mean(gaps <= self.epsilon) >= self.confidence)
