"""Checkpoints at steps that are listed by hand."""

from dataclasses import dataclass

from tl_search.plane.schedule import SpacedSchedule


@dataclass(frozen=True)
class ExplicitSchedule(SpacedSchedule):
    """The steps that `checkpoint_schedule` lists, and the pinned ones.

    Example:
        >>> ExplicitSchedule(checkpoint_schedule=(3, 4)).steps(Horizon(50))
        (0, 3, 4, 50)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.checkpoint_schedule:
            raise ValueError("checkpoint_schedule: must list at least one step, got none")
