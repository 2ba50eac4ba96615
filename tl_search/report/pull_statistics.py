"""What a trajectory adds up to: which arms were measured, what they are worth, and how far a choice fell short."""

from collections.abc import Sequence

import numpy as np

from tl_search.plane.objective import combine
from tl_search.report.findings import Findings, Step


def scored_tasks(findings: Findings) -> np.ndarray:
    """How many tasks have a score at each arm: (revision, layer)."""
    counts = np.zeros(findings.plane.shape, dtype=int)
    for (row, layer), scores in _scores(findings).items():
        counts[row, layer] = len(scores)
    return counts


def measured_objective(findings: Findings) -> np.ndarray:
    """The objective where every task has a score, NaN elsewhere: (revision, layer), points."""
    objective = np.full(findings.plane.shape, np.nan)
    weights = {task.name: task.weight for task in findings.plane.tasks}
    for spot, scores in _scores(findings).items():
        if weights.keys() <= scores.keys():
            objective[spot] = combine(weights, scores)
    return objective


def regret(findings: Findings) -> list[float]:
    """After each pull: by how many points the arm named then falls short of the best arm that was looked at.

    An arm counts by its measured objective; one that was never scored on all tasks, by what the policy believes of
    it at the end. 0 = the best arm is named.
    """
    if not findings.trajectory:
        return []
    worth = measured_objective(findings)
    if findings.mean is not None:
        worth = np.where(np.isnan(worth), findings.mean, worth)
    for step in reversed(findings.trajectory):  # without a posterior, what was said when the arm was named last counts
        spot = findings.plane.at(step.recommended.place)
        if np.isnan(worth[spot]):
            worth[spot] = step.recommended.mean
    named = [findings.plane.at(step.recommended.place) for step in findings.trajectory]
    looked_at = [*named, *(spot for spot in _scores(findings) if not np.isnan(worth[spot]))]
    best = max(worth[spot] for spot in looked_at)
    return [float(best - worth[spot]) for spot in named]


def turning_points(trajectory: Sequence[Step]) -> list[Step]:
    """The pulls after which another arm was named than before, and the last one."""
    return [
        step
        for number, step in enumerate(trajectory)
        if number == len(trajectory) - 1
        or number == 0
        or step.recommended.place != trajectory[number - 1].recommended.place
    ]


def _scores(findings: Findings) -> dict[tuple[int, int], dict[str, float]]:
    """All scores by arm; a cell that failed has none."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for step in findings.trajectory:
        scores = {task: score for task, score in step.scores.items() if score is not None}
        if scores:
            found.setdefault(findings.plane.at(step.place), {}).update(scores)
    return found
