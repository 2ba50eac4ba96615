"""Only the final model, without other checkpoints."""

from dataclasses import dataclass

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import SpacedSchedule


@dataclass(frozen=True)
class NoSchedule(SpacedSchedule):
    """The final model, and the steps that are listed by hand; neither step 0 nor the ends of epochs."""

    def pinned(self, horizon: Horizon) -> set[int]:
        return {horizon.total}
