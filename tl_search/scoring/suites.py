"""Lists of tasks, with the split to select on and the split to report on. Quick to import: configs name the class."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tl_search.plane.share import ALL, share_text
from tl_search.scoring.parts.splits import CONFIRMATION, OFFICIAL, share_data

if TYPE_CHECKING:
    from tl_search.plane.pull import TaskSpec


@dataclass(frozen=True)
class Suite:
    """The tasks of a search.

    The best of many arms looks better than it is on the data that it was selected on, so it is reported on other data.

    Args:
        names: Tasks, and benchmarks of mteb, which mean all of their tasks. None means all tasks of the folder.
        selection_split: A split of every task, or what it is for: see `splits`.
        confirmation_split: As `selection_split`.
        allow_same_split: Whether the two may be the same, for tasks with only one split; the reported scores are then
            too high, and the report says so.
        subsets: Task → mteb's hf_subset, for tasks that have several; of several with commas between them, the score
            is the mean.
        skip_nulls: Whether rows without a text or a label are left out; otherwise they are refused.
        types: mteb's types of the tasks that are kept of those named; all where it is empty.
        selection_splits: Task → its split, where it is another one than `selection_split`.
        confirmation_splits: Task → its split, where it is another one than `confirmation_split`.
        folder: A folder of a person's own tasks; it is made absolute.
        items: The share of the selection split's items that arms are scored on: 1, or such as `1/3` and `1/10`. See
            `shares`. Finalists are always scored on all items of their split.
    """

    names: tuple[str, ...]
    selection_split: str = "selection"
    confirmation_split: str = "confirmation"
    allow_same_split: bool = False
    subsets: dict[str, str] = field(default_factory=dict)
    skip_nulls: bool = False
    types: tuple[str, ...] = ()
    selection_splits: dict[str, str] = field(default_factory=dict)
    confirmation_splits: dict[str, str] = field(default_factory=dict)
    folder: str | None = None
    items: str | int | float = ALL

    DECIDES: ClassVar = {
        "files": "names selection_split confirmation_split allow_same_split subsets skip_nulls types "
        "selection_splits confirmation_splits folder items"
    }
    ADDED: ClassVar[dict[str, Any]] = {
        "skip_nulls": False,
        "types": [],
        "selection_splits": {},
        "confirmation_splits": {},
        "folder": None,
        "items": 1,
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "types", tuple(self.types))
        object.__setattr__(self, "items", share_text(self.items))
        if self.folder is not None:
            object.__setattr__(self, "folder", str(Path(self.folder).absolute()))
        if not self.names and self.folder is None:
            raise ValueError("names: must be at least one task, got none")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise ValueError(f"names: each task may be listed once, got {', '.join(repeated)} more than once")
        for setting in ("subsets", "selection_splits", "confirmation_splits"):
            strangers = sorted(set(getattr(self, setting)) - set(self.names))
            if strangers and not self._lists:
                raise ValueError(f"{setting}: must name only tasks that are in names, got {', '.join(strangers)}")
        if self.same_split and not self.allow_same_split and self.selection_split != OFFICIAL:
            raise ValueError(
                f"confirmation_split: must be another split than selection_split, got {self.selection_split!r} for "
                "both; allow_same_split=true allows it, but the reported scores are then too high"
            )

    @property
    def _lists(self) -> bool:
        """Whether tasks are meant that are not in names: those of a benchmark, or of the folder."""
        from tl_search.scoring.catalogue import benchmark_names

        return self.folder is not None or any(name in benchmark_names() for name in self.names)

    @property
    def same_split(self) -> bool:
        """Whether the finalists are reported on the data that they were selected on, as far as the settings tell."""
        return self.selection_split == self.confirmation_split or (
            self.selection_split == OFFICIAL and self.confirmation_split == CONFIRMATION
        )

    @property
    def remote(self) -> str | None:
        """The first task whose data are fetched from the Hub; None if all are embedded."""
        from tl_search.scoring.catalogue import task_names
        from tl_search.scoring.folder.tasks import folder_tasks

        ours = {*task_names(), *(folder_tasks(self._place) if self._place else ())}
        return next((name for name in self.names if name not in ours), None)

    def check(self) -> None:
        """Raises ValueError for the name of no task, before anything slow is imported or loaded."""
        from tl_search.scoring.catalogue import check_names

        check_names(self.names, self._place)

    def check_splits(self) -> None:
        """Raises ValueError where a task that is on this machine does not have the splits."""
        if self.remote is None:
            self.confirmation()
            self.selection()

    @cached_property
    def tasks(self) -> dict[str, str | None]:
        """Task → its subset, None where it has only one; benchmarks are replaced by their tasks.

        Raises:
            ValueError: there is no such task, benchmark or type.
        """
        from tl_search.scoring.catalogue import named_tasks

        with _settings_named("selection_split"):
            found = named_tasks(self.names, self.types, self._place)
        for setting in ("subsets", "selection_splits", "confirmation_splits"):
            strangers = sorted(set(getattr(self, setting)) - set(found))
            if strangers:
                raise ValueError(
                    f"tasks.{setting}: must name only tasks that are in tasks.names, got {', '.join(strangers)}"
                )
        return found | self.subsets

    def selection(self) -> "tuple[TaskSpec, ...]":
        """The tasks on the selection split, or on a share of it. Raises ValueError where a task does not have it."""
        return self._described("selection_split", str(self.items))

    def confirmation(self) -> "tuple[TaskSpec, ...]":
        """The tasks on the confirmation split.

        Raises:
            ValueError: a task does not have it, or has items in common with the selection split.
        """
        found = self._described("confirmation_split")
        if not self.same_split and not self.allow_same_split:
            for selected, task in zip(self.selection(), found, strict=True):
                if share_data(selected.split, task.split):
                    raise ValueError(
                        f"tasks.confirmation_splits.{task.name}: must be apart from the selection split, got "
                        f"{task.split!r} and {selected.split!r}; tasks.allow_same_split=true allows it, but the "
                        "reported scores are then too high"
                    )
        return found

    def texts(self, tasks: "tuple[TaskSpec, ...]", folder: Path | None = None) -> dict[str, tuple[str, ...]]:
        """Task name → the texts that the evaluation of each of the suite's tasks needs; `folder` as for `texts_of`."""
        from tl_search.scoring.texts import texts_of

        with _settings_named("selection_split"):
            return {task.name: texts_of(task, folder) for task in tasks}

    def texts_here(self, folder: Path) -> "tuple[list[tuple[TaskSpec, tuple[str, ...]]], dict[str, str]]":
        """What is known of the selection split without a download: tasks with their texts; the others' types by name.

        `folder` and errors are as for `scoring.texts.texts_here`.
        """
        from tl_search.scoring.evaluation import kind
        from tl_search.scoring.texts import texts_here

        with _settings_named("selection_split"):
            found = {
                name: texts_here(
                    name,
                    self.selection_splits.get(name, self.selection_split),
                    subset,
                    folder,
                    self.skip_nulls,
                    self._place,
                    str(self.items),
                )
                for name, subset in self.tasks.items()
            }
        others = {name: kind(name, self._place)[0] for name, here in found.items() if here is None}
        return [here for here in found.values() if here is not None], others

    def training_texts(self) -> dict[str, tuple[str, ...]]:
        """Task name → the texts of its training split, for metrics that need no labels.

        A task has none where it has no such split, or where the finalists are reported on that split.
        """
        return dict(self._training())

    def has_training_texts(self) -> bool:
        """Whether some task has a training text that is not blank; no more tasks are loaded than are needed to see it.

        Raises ValueError as `selection` and `confirmation`.
        """
        return any(text.strip() for _, texts in self._training() for text in texts)

    def _training(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        from tl_search.scoring.training_texts import training_texts

        apart = {task.name: task.split for task in self._described("confirmation_split")}
        with _settings_named("selection_split"):
            for task in self.selection():
                yield task.name, training_texts(task, apart[task.name])

    @property
    def _place(self) -> Path | None:
        return None if self.folder is None else Path(self.folder)

    def _described(self, split: str, items: str = ALL) -> "tuple[TaskSpec, ...]":
        """The tasks on the split that a setting names, or on a share of its items."""
        from tl_search.scoring.evaluation import describe

        meant, of_task = getattr(self, split), getattr(self, f"{split}s")
        if split == "confirmation_split" and self.selection_split == OFFICIAL and meant == CONFIRMATION:
            meant = OFFICIAL
        with _settings_named(split):
            return tuple(
                describe(name, of_task.get(name, meant), subset, self.skip_nulls, self._place, items)
                for name, subset in self.tasks.items()
            )


@contextmanager
def _settings_named(split: str) -> Iterator[None]:
    """Names the settings of a suite, as a person can write them, where an error names arguments of `describe`."""
    settings = {
        **{"names": "tasks.names", "task": "tasks.names", "types": "tasks.types", "folder": "tasks.folder"},
        **{"subset": "tasks.subsets", "split": f"tasks.{split}", "items": "tasks.items"},
    }
    try:
        yield
    except ValueError as error:
        argument, colon, rest = str(error).partition(":")
        if argument not in settings:
            raise
        raise ValueError(f"{settings[argument]}{colon}{rest}") from error
