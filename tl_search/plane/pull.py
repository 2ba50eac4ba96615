"""The values that policies, scoring and search exchange: tasks, scores, pulls, costs, observations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tl_search.plane.arm import Arm
from tl_search.plane.share import ALL, share_text, split_name
from tl_search.store.keys import digest


@dataclass(frozen=True)
class TaskSpec:
    """An mteb task on one split and subset, or on a share of its items: what, with an arm, makes a cell.

    Args:
        name: mteb's name of the task.
        revision: Revision of its dataset; the task with other data is another task.
        split: On which it is scored: selection and confirmation data are different splits. `test-half-1` is a half.
        type: mteb's type: Classification, Clustering, Retrieval, …
        main_score: Name of the metric that counts.
        subset: mteb's hf_subset; of several, which a comma separates, the score is the mean.
        mteb: Version of the evaluator.
        skip_nulls: Whether rows without a value are left out, which makes it another task where there are some.
        folder: The folder of a person's own tasks that it comes from. Its data count, not its place.
        superseded_by: The task that mteb has now in its stead.
        items: The share of the split's items that it is scored on, such as `1/3`. Another share is another task, so a
            score on some of the items is never taken for one on all of them.
    """

    name: str
    revision: str
    split: str
    type: str
    main_score: str
    subset: str = "default"
    seed: int = 42
    mteb: str = ""
    skip_nulls: bool = False
    folder: str | None = field(default=None, compare=False)
    superseded_by: str | None = field(default=None, compare=False)
    items: str = ALL

    OPTIONAL: ClassVar = ("skip_nulls", "folder", "superseded_by", "items")

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", share_text(self.items))

    @property
    def subsets(self) -> tuple[str, ...]:
        """The subsets that it is scored on, one by one."""
        return tuple(self.subset.split(","))

    @property
    def is_whole(self) -> bool:
        """Whether it is scored on all items of its split."""
        return self.items == ALL

    @property
    def scored_on(self) -> str:
        """What mteb's data and records call what it is scored on: `test`, or `test-items-1-of-3`."""
        return split_name(self.split, self.items)

    def identity(self) -> dict[str, Any]:
        return {
            "task": self.name,
            "task_revision": self.revision,
            "split": self.split,
            "subset": self.subset,
            "seed": self.seed,
            "mteb": self.mteb,
            **({"skip_nulls": True} if self.skip_nulls else {}),
            **({} if self.is_whole else {"items": self.items}),
        }


@dataclass(frozen=True)
class Score:
    """The main score of one cell (arm, task), in mteb's own scale (mostly 0..1), rounded to 6 digits.

    `seconds` is what the evaluation took, `result` mteb's own record of it. `standard_error` is on the same scale; None
    where it was not estimated.
    """

    arm: Arm
    task: TaskSpec
    value: float
    seconds: float = 0.0
    result: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    standard_error: float | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        return cell_key(self.arm, self.task)


def cell_key(arm: Arm, task: TaskSpec) -> str:
    """The name of a cell on disk: everything that its score depends on."""
    return digest({"arm": arm.identity(), **task.identity()}, 32)


@dataclass(frozen=True)
class Cost:
    """Seconds, kept apart: bringing a column's weights, embedding its texts, scoring its cells."""

    load: float = 0.0
    embed: float = 0.0
    score: float = 0.0

    @property
    def total(self) -> float:
        return self.load + self.embed + self.score

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.load + other.load, self.embed + other.embed, self.score + other.score)


@dataclass(frozen=True)
class Pull:
    """One decision of a policy: score these tasks at this arm. `t` counts decisions from 0."""

    t: int
    arm: Arm
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Observation:
    """What a pull brought: scores by task name (points, 0..100; None = the task failed here), and its cost."""

    pull: Pull
    scores: Mapping[str, float | None]
    cost: Cost


@dataclass(frozen=True)
class Recommendation:
    """The arm a policy would name now, with what it believes of its objective (points)."""

    arm: Arm
    mean: float
    sd: float
