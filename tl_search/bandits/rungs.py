"""Price groups of tasks: the cheap ones show where to look, the dear ones are bought where it matters."""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_search.bandits.policy import Problem

SHARED = 8  # about so many layers of a column are scored, so each bears that part of the pass over the texts


def rungs(problem: Problem, shares: Sequence[float], first: int) -> tuple[tuple[str, ...], ...]:
    """The tasks by rising price, cut where the cumulative price passes `shares` of the whole.

    Args:
        problem: Whose tasks.
        shares: Rising, in (0, 1); the rest is the last rung.
        first: Least number of tasks in the first rung, for one task alone misleads; but never more than a third
            of the tasks, or a short suite would have no cheap rung.
    """
    costs, layers = problem.costs, min(SHARED, problem.plane.n_layers + 1)
    passes = {task: sum(costs.embed[owner] for owner in sorted(costs.texts_of([task]))) for task in problem.tasks}
    price = {task: costs.score[task] + passes[task] / layers for task in problem.tasks}
    order = sorted(problem.tasks, key=lambda task: price[task])  # ties stay in the suite's order
    spent = np.cumsum([price[task] for task in order])
    within = [int(np.sum(spent <= share * spent[-1])) for share in shares]
    least = min(first, max(1, len(order) // 3))
    cuts = sorted({max(least, count) for count in within} | {len(order)})
    starts = [0, *cuts[:-1]]
    return tuple(_in_suite_order(problem, order[start:cut]) for start, cut in zip(starts, cuts, strict=True))


def rung_weights(groups: Sequence[Sequence[str]], weights: Mapping[str, float]) -> np.ndarray:
    """Each rung's part of the objective."""
    return np.array([sum(weights[task] for task in group) for group in groups])


def rung_score(group: Sequence[str], weights: Mapping[str, float], scores: Mapping[str, float]) -> float:
    """The weighted mean of a rung's scores, so that the objective is the weighted sum of its rungs."""
    return sum(weights[task] * scores[task] for task in group) / sum(weights[task] for task in group)


def _in_suite_order(problem: Problem, group: Sequence[str]) -> tuple[str, ...]:
    return tuple(task for task in problem.tasks if task in group)


def check_cuts(shares: Sequence[float], first: int) -> tuple[float, ...]:
    """The shares as a tuple.

    Raises:
        ValueError: they do not rise within (0, 1), or `first` is below 1.
    """
    cuts = tuple(shares)
    if any(not 0 < share < 1 for share in cuts) or list(cuts) != sorted(set(cuts)):
        raise ValueError(f"shares: must rise between 0 and 1, got {list(cuts)}")
    if first < 1:
        raise ValueError(f"first: must be >= 1, got {first}")
    return cuts
