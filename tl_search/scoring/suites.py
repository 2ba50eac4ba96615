"""Lists of tasks, with the split to select on and the split to report on. Quick to import: configs name the class."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tl_search.plane.pull import TaskSpec


@dataclass(frozen=True)
class Suite:
    """The tasks of a search.

    The best of many arms looks better than it is on the data that it was selected on, so it is reported on other data.

    Args:
        allow_same_split: Whether the two may be the same, for tasks with only one split; the reported scores are then
            too high, and the report says so.
        subsets: Task → mteb's hf_subset, for tasks that have several.
    """

    names: tuple[str, ...]
    selection_split: str = "selection"
    confirmation_split: str = "confirmation"
    allow_same_split: bool = False
    subsets: dict[str, str] = field(default_factory=dict)

    DECIDES: ClassVar = {"files": "names selection_split confirmation_split allow_same_split subsets"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if not self.names:
            raise ValueError("names: must be at least one task, got none")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise ValueError(f"names: each task may be listed once, got {', '.join(repeated)} more than once")
        strangers = sorted(set(self.subsets) - set(self.names))
        if strangers:
            raise ValueError(f"subsets: must name only tasks that are in names, got {', '.join(strangers)}")
        if self.same_split and not self.allow_same_split:
            raise ValueError(
                f"confirmation_split: must be another split than selection_split, got {self.selection_split!r} for "
                "both; allow_same_split=true allows it, but the reported scores are then too high"
            )

    @property
    def same_split(self) -> bool:
        """Whether the finalists are reported on the data that they were selected on."""
        return self.selection_split == self.confirmation_split

    @property
    def remote(self) -> str | None:
        """The first task whose data are fetched from the Hub; None if all are embedded."""
        from tl_search.scoring.catalogue import task_names

        return next((name for name in self.names if name not in task_names()), None)

    def check(self) -> None:
        """Raises ValueError for the name of no task, before anything slow is imported or loaded."""
        from tl_search.scoring.catalogue import check_names

        check_names(self.names)

    def selection(self) -> "tuple[TaskSpec, ...]":
        """The tasks on the selection split. Raises ValueError where a task does not have it."""
        return self._described(self.selection_split)

    def confirmation(self) -> "tuple[TaskSpec, ...]":
        """The tasks on the confirmation split. Raises ValueError where a task does not have it."""
        return self._described(self.confirmation_split)

    def texts(self, split: str, folder: Path | None = None) -> dict[str, tuple[str, ...]]:
        """Task name → the texts that its evaluation on a split needs; `folder` as for `task_texts`."""
        from tl_search.scoring.texts import task_texts

        return {name: task_texts(name, split, self.subsets.get(name), folder) for name in self.names}

    def training_texts(self) -> dict[str, tuple[str, ...]]:
        """Task name → the texts of its training split, for metrics that need no labels.

        A task has none where it has no such split, or where the finalists are reported on that split.
        """
        from tl_search.scoring.training_texts import training_texts

        return {
            name: training_texts(name, self.selection_split, self.subsets.get(name), apart=self.confirmation_split)
            for name in self.names
        }

    def _described(self, split: str) -> "tuple[TaskSpec, ...]":
        from tl_search.scoring.evaluation import describe

        return tuple(describe(name, split, self.subsets.get(name)) for name in self.names)
