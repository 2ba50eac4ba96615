"""Lists of tasks, with the split to select on and the split to report on. Quick to import: configs name the class."""

from collections.abc import Iterator
from contextlib import contextmanager
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
        skip_nulls: Whether rows without a text or a label are left out; otherwise they are refused.
    """

    names: tuple[str, ...]
    selection_split: str = "selection"
    confirmation_split: str = "confirmation"
    allow_same_split: bool = False
    subsets: dict[str, str] = field(default_factory=dict)
    skip_nulls: bool = False

    DECIDES: ClassVar = {"files": "names selection_split confirmation_split allow_same_split subsets skip_nulls"}
    ADDED: ClassVar = {"skip_nulls": False}

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
        return self._described("selection_split")

    def confirmation(self) -> "tuple[TaskSpec, ...]":
        """The tasks on the confirmation split. Raises ValueError where a task does not have it."""
        return self._described("confirmation_split")

    def texts(self, split: str, folder: Path | None = None) -> dict[str, tuple[str, ...]]:
        """Task name → the texts that its evaluation on a split needs; `folder` as for `task_texts`."""
        from tl_search.scoring.texts import task_texts

        with _settings_named("selection_split" if split == self.selection_split else "confirmation_split"):
            return {
                name: task_texts(name, split, self.subsets.get(name), folder, self.skip_nulls) for name in self.names
            }

    def texts_here(self, folder: Path) -> "tuple[list[tuple[TaskSpec, tuple[str, ...]]], dict[str, str]]":
        """What is known of the selection split without a download: tasks with their texts; the others' types by name.

        `folder` and errors are as for `scoring.texts.texts_here`.
        """
        from tl_search.scoring.evaluation import kind
        from tl_search.scoring.texts import texts_here

        with _settings_named("selection_split"):
            found = {
                name: texts_here(name, self.selection_split, self.subsets.get(name), folder, self.skip_nulls)
                for name in self.names
            }
        others = {name: kind(name)[0] for name, here in found.items() if here is None}
        return [here for here in found.values() if here is not None], others

    def training_texts(self) -> dict[str, tuple[str, ...]]:
        """Task name → the texts of its training split, for metrics that need no labels.

        A task has none where it has no such split, or where the finalists are reported on that split.
        """
        from tl_search.scoring.training_texts import training_texts

        with _settings_named("selection_split"):
            return {
                name: training_texts(
                    name, self.selection_split, self.subsets.get(name), self.confirmation_split, self.skip_nulls
                )
                for name in self.names
            }

    def _described(self, split: str) -> "tuple[TaskSpec, ...]":
        """The tasks on the split that a setting names."""
        from tl_search.scoring.evaluation import describe

        with _settings_named(split):
            return tuple(
                describe(name, getattr(self, split), self.subsets.get(name), self.skip_nulls) for name in self.names
            )


@contextmanager
def _settings_named(split: str) -> Iterator[None]:
    """Names the settings of a suite, as a person can write them, where an error names arguments of `describe`."""
    settings = {"names": "tasks.names", "task": "tasks.names", "subset": "tasks.subsets", "split": f"tasks.{split}"}
    try:
        yield
    except ValueError as error:
        argument, colon, rest = str(error).partition(":")
        if argument not in settings:
            raise
        raise ValueError(f"{settings[argument]}{colon}{rest}") from error
