"""What holds at a step of training: which losses count, and how much."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tl_search.errors.limits import LARGEST_RATE, MOST_STEPS, between, not_negative


@dataclass(frozen=True)
class Stage:
    """A span of steps with one set of loss weights; it ends where the next stage starts.

    Args:
        name: Name of the stage in manifests and in the index of revisions.
        start: First step at which it holds.
        losses: Loss term → weight, >= 0; a term is named after its module in `training/losses/`.
    """

    name: str
    start: int = 0
    losses: Mapping[str, float] = field(default_factory=lambda: {"next_token": 1.0})

    DECIDES: ClassVar = {"weights": "name start losses"}

    def __post_init__(self) -> None:
        between(0, MOST_STEPS, start=self.start)
        not_negative(LARGEST_RATE, **{f"losses.{term}": weight for term, weight in self.losses.items()})


@dataclass(frozen=True)
class Curriculum:
    """Stages in order. The stage is a function of the step alone, so a resumed run is in the right one.

    Args:
        stages: Name → stage, by rising start; the first starts at step 0.
    """

    stages: Mapping[str, Stage]

    DECIDES: ClassVar = {"weights": "stages"}

    def __post_init__(self) -> None:
        starts = [stage.start for stage in self.stages.values()]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(f"stages: starts must rise from 0, got {starts}")

    def stage_at(self, step: int) -> Stage:
        """The stage after `step` completed optimizer steps: the last one whose start is not beyond `step`.

        The update that turns step 9 into step 10 belongs to the stage at step 9.
        """
        stages = list(self.stages.values())
        return stages[bisect_right([stage.start for stage in stages], step) - 1]
