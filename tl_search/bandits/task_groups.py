"""Groups tasks by price: cheap groups show where to look; expensive ones are scored where they are worth it."""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_search.bandits.policy import Problem

LAYERS_SCORED = 8  # about so many layers of a column are scored, so each bears that part of the pass over the texts


def task_groups(problem: Problem, shares: Sequence[float], first: int) -> tuple[tuple[str, ...], ...]:
    """The tasks by rising price, cut where the cumulative price passes `shares` of the whole.

    Args:
        problem: Its tasks are grouped, by the prices of its cost table.
        shares: Rising, in (0, 1); what lies above the last is the last group.
        first: Least number of tasks in the first group, since one task alone misleads; but never more than a third
            of the tasks, or a short suite would have no cheap group.
    """
    costs, layers = problem.costs, min(LAYERS_SCORED, problem.plane.n_layers + 1)
    passes = {task: sum(costs.embed[owner] for owner in sorted(costs.texts_of([task]))) for task in problem.tasks}
    price = {task: costs.score[task] + passes[task] / layers for task in problem.tasks}
    rising = sorted(problem.tasks, key=lambda task: price[task])  # ties stay in the suite's order
    spent = np.cumsum([price[task] for task in rising])
    within = [int(np.sum(spent <= share * spent[-1])) for share in shares]
    least = min(first, max(1, len(rising) // 3))
    cuts = sorted({max(least, count) for count in within} | {len(rising)})
    groups = [rising[start:cut] for start, cut in zip([0, *cuts[:-1]], cuts, strict=True)]
    return tuple(tuple(task for task in problem.tasks if task in group) for group in groups)  # in the suite's order


def group_weights(groups: Sequence[Sequence[str]], weights: Mapping[str, float]) -> np.ndarray:
    """Each group's part of the objective, (group,)."""
    return np.array([sum(weights[task] for task in group) for group in groups])


def group_score(group: Sequence[str], weights: Mapping[str, float], scores: Mapping[str, float]) -> float:
    """The weighted mean of a group's scores in points, so that the objective is the weighted sum of its groups."""
    return sum(weights[task] * scores[task] for task in group) / sum(weights[task] for task in group)
