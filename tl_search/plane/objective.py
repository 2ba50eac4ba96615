"""How the scores of several tasks become the one number that a search maximises.

To add an objective, write a file with a frozen dataclass that has the method `weights` of `Objective`, and
`conf/objective/NAME.yaml`, which names the class in `_target_` and lists its fields. Nothing else knows an objective by
name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tl_search.plane.pull import TaskSpec


class Objective(Protocol):
    """A weighted sum of task scores. The weights may depend on the tasks and their types, but not on scores."""

    def weights(self, tasks: Sequence[TaskSpec]) -> dict[str, float]:
        """The weight of every task, by the task's name; each is above 0, and together they are 1."""


@dataclass(frozen=True)
class Mean:
    """Every task has the same weight."""

    def weights(self, tasks: Sequence[TaskSpec]) -> dict[str, float]:
        return {task.name: 1 / len(tasks) for task in tasks}


@dataclass(frozen=True)
class CategoryMean:
    """Every task type has the same weight, and every task within its type: mteb's mean over task types."""

    def weights(self, tasks: Sequence[TaskSpec]) -> dict[str, float]:
        types = [task.type for task in tasks]
        return {task.name: 1 / (len(set(types)) * types.count(task.type)) for task in tasks}


def combine(weights: Mapping[str, float], scores: Mapping[str, float]) -> float:
    """The weighted sum of an arm's scores. Raises ValueError when the score of a weighted task is missing."""
    missing = sorted(set(weights) - set(scores))
    if missing:
        raise ValueError(f"scores: missing for {', '.join(missing)}")
    return sum(weight * scores[task] for task, weight in weights.items())
