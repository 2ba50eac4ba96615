"""The checkpoints of the Pythia suite (Biderman et al., 2023, arXiv:2304.01373)."""

from dataclasses import dataclass
from typing import ClassVar

from tl_search.errors.limits import MOST_STEPS, between
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import SpacedSchedule
from tl_search.plane.spacing import regular

PYTHIA_STEPS = 143_000  # length of every Pythia run


@dataclass(frozen=True)
class PythiaSchedule(SpacedSchedule):
    """The Pythia suite's steps: 0, 1, 2, 4, …, 512, then every 1000.

    Args:
        linear_interval: Steps between the evenly spaced checkpoints, >= 1. The doublings stop below the first of them.
        scale: Stretch or shrink the pattern of Pythia's 143000 steps to the run's length.

    Example:
        >>> PythiaSchedule().steps(Horizon(2500))
        (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 2500)
    """

    linear_interval: int = 1000
    scale: bool = False

    DECIDES: ClassVar = {"steps": "linear_interval scale"}

    def __post_init__(self) -> None:
        super().__post_init__()
        between(1, MOST_STEPS, linear_interval=self.linear_interval)

    def spaced(self, horizon: Horizon) -> set[int]:
        length = PYTHIA_STEPS if self.scale else horizon.total
        every = regular("linear_interval", self.linear_interval, self.linear_interval, length)
        doublings = (step for step in (2**power for power in range(10)) if step < self.linear_interval)
        return {step * horizon.total // length for step in (*doublings, *every) if step <= length}
