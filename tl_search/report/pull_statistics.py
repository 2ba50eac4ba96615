"""What is computed from the pulls of a search: scored tasks, measured objectives, and the regret after each pull."""

from collections.abc import Sequence

import numpy as np

from tl_search.plane.objective import combine
from tl_search.report.findings import Findings
from tl_search.runs.pulls import Step


def scored_tasks(findings: Findings) -> np.ndarray:
    """How many tasks of each arm have a score: an array (revision, layer)."""
    counts = np.zeros(findings.plane.shape, dtype=int)
    for (row, layer), scores in _scores(findings).items():
        counts[row, layer] = len(scores)
    return counts


def measured_objective(findings: Findings) -> np.ndarray:
    """The objective of each arm in points, NaN unless every task has a score: an array (revision, layer)."""
    objective = np.full(findings.plane.shape, np.nan)
    weights = findings.plane.weights
    for spot, scores in _scores(findings).items():
        if weights.keys() <= scores.keys():
            objective[spot] = combine(weights, scores)
    return objective


def regret(findings: Findings) -> list[float]:
    """After each pull: by how many points the recommended arm falls short of the best arm that was measured.

    An arm's value is its measured objective. For an arm that was never scored on all tasks, it is the policy's latest
    estimate. 0 means that the best arm is recommended.
    """
    if not findings.trajectory:
        return []
    worth = measured_objective(findings)
    if findings.mean is not None:
        worth = np.where(np.isnan(worth), findings.mean, worth)
    for step in reversed(findings.trajectory):  # without a posterior, the last recommendation has the latest estimate
        spot = findings.plane.at(step.recommended.arm)
        if np.isnan(worth[spot]):
            worth[spot] = step.recommended.mean
    recommended = [findings.plane.at(step.recommended.arm) for step in findings.trajectory]
    measured = [*recommended, *(spot for spot in _scores(findings) if not np.isnan(worth[spot]))]
    best = max(worth[spot] for spot in measured)
    return [float(best - worth[spot]) for spot in recommended]


def turning_points(trajectory: Sequence[Step]) -> list[Step]:
    """The pulls that changed the recommended arm, and the last one."""
    last = len(trajectory) - 1
    arms = [None, *(step.recommended.arm for step in trajectory)]
    return [step for number, step in enumerate(trajectory) if number == last or arms[number] != arms[number + 1]]


def _scores(findings: Findings) -> dict[tuple[int, int], dict[str, float]]:
    """All scores of each arm by task; a cell that failed has none."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for step in findings.trajectory:
        scores = {task: score for task, score in step.scores.items() if score is not None}
        if scores:
            found.setdefault(findings.plane.at(step.arm), {}).update(scores)
    return found
