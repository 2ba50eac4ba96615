"""When a search may end before its budget is spent."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tl_search.bandits.policy import Policy
from tl_search.errors.limits import between


@dataclass(frozen=True)
class Stopping:
    """Ends a search once the leader is close enough to the best arm; never with a policy without a surrogate model.

    There are two rules. With a confidence, the leader of this search is within epsilon with that probability. Without
    one, leaders are within epsilon on average over many searches: it costs about a quarter less and errs more often.

    Args:
        epsilon: Points by which the leader's objective may stay below that of the best arm, >= 0.
        confidence: Probability that the gap is at most epsilon, in (0, 1]; null ends the search as soon as the
            expected gap is below epsilon.
        draws: Joint draws from the posterior from which the gap is estimated, >= 1.
    """

    epsilon: float = 0.25
    confidence: float | None = 0.9
    draws: int = 128

    DECIDES: ClassVar = {"files": "epsilon confidence draws"}

    def __post_init__(self) -> None:
        if not self.epsilon >= 0:  # also refuses NaN
            raise ValueError(f"epsilon: must be >= 0, got {self.epsilon:g}")
        between(0, 10**9, epsilon=self.epsilon)
        if self.confidence is not None and not 0 < self.confidence <= 1:
            raise ValueError(f"confidence: must be in (0, 1] or null, got {self.confidence:g}")
        between(1, 10**5, draws=self.draws)

    def should_stop(self, policy: Policy) -> bool:
        """Whether the search may end now.

        The gap is the points of the objective by which the best arm of the plane beats the policy's leader; it is
        estimated from `draws` joint draws of the policy's posterior. False while the policy cannot say.
        """
        gaps = policy.gaps(self.draws)
        if gaps is None:
            return False
        if self.confidence is None:
            return bool(gaps.mean() < self.epsilon)
        return bool(np.mean(gaps <= self.epsilon) >= self.confidence)
