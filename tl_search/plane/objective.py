"""How the scores of several tasks become the one number that a search maximises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tl_search.plane.pull import TaskSpec


class Objective(Protocol):
    """A weighted sum of task scores; its weights may depend on the tasks' types, never on scores."""

    def weights(self, tasks: Sequence[TaskSpec]) -> dict[str, float]:
        """Task name → weight; they add up to 1."""
        ...


@dataclass(frozen=True)
class Mean:
    """Every task counts the same."""

    def weights(self, tasks: Sequence[TaskSpec]) -> dict[str, float]:
        return {task.name: 1 / len(tasks) for task in tasks}


@dataclass(frozen=True)
class CategoryMean:
    """Every task type counts the same, and every task within its type: mteb's mean (task type)."""

    def weights(self, tasks: Sequence[TaskSpec]) -> dict[str, float]:
        types = [task.type for task in tasks]
        return {task.name: 1 / (len(set(types)) * types.count(task.type)) for task in tasks}


def combine(weights: Mapping[str, float], scores: Mapping[str, float]) -> float:
    """The objective of an arm. Raises ValueError when a task is missing: a partial mean is no mean."""
    missing = sorted(set(weights) - set(scores))
    if missing:
        raise ValueError(f"scores: missing for {', '.join(missing)}")
    return sum(weight * scores[task] for task, weight in weights.items())
