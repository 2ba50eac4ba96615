"""Replicates of a cell's score, for its standard error and for confidence intervals of the difference between arms.

A replicate is the score as it might have been with other data. It varies what the score owes to chance:

- *the items*: each has a random weight, which belongs to its content (`draws`), so that replicate i has the same items
  for every arm, and for every task over the same texts (a paired bootstrap; Efron and Tibshirani, 1993, ch. 16);
  where clusters are made of the items, a few weightings are clustered again, and their spread is what replicates have;
- *the runs* that an evaluation repeats: the training rows that a classifier's heads are fitted on, the starts of
  clusterings. The runs' scores on all items vary around their mean, and replicate i leans towards the same runs for
  every arm.

Both spreads are estimated from as many values as there are items, and runs; with few, such an estimate is uncertain, so
the replicates have the tails of Student's distribution (in the way of Hesterberg, 2015, section 3.3). Their mean is
mteb's score: many measures are too high on repeated or weighted items.
"""

from collections.abc import Mapping

import numpy as np
from scipy.stats import norm

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec
from tl_search.scoring.evaluation import evaluate, fresh_task, must_be_one_of, score_cell
from tl_search.scoring.quicker.one_thread import one_thread_where_solved
from tl_search.scoring.uncertainty import draws
from tl_search.scoring.uncertainty.item_types import TYPES
from tl_search.scoring.uncertainty.items import Again, Items, Part, Runs, Watch, joint_digest

RESAMPLES = 200  # for a standard error alone


def estimate_cell(arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray]) -> Score:
    """The cell's score, as `score_cell` gives it, with its standard error.

    There is none for tasks and main scores that cannot be resampled. For clustering it is rough, since few weightings
    of the texts are clustered again. For older clustering tasks, where that takes many times longer than the score, it
    leaves out how clusters would move with other texts.

    Args:
        vectors: Text digest → vector (width,), for all texts of `task_texts`.

    Raises:
        ValueError: as for `score_cell`.
    """
    try:
        check_confirmable(task)
    except ValueError:
        return score_cell(arm, task, vectors)
    return _resampled(arm, task, vectors, RESAMPLES, 0, quick=True)[0]


def confirm_cell(
    arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray], resamples: int, seed: int
) -> tuple[Score, np.ndarray]:
    """The cell's score with its standard error, and its replicates: fp64 (resample,), on the same scale.

    Args:
        vectors: Text digest → vector (width,), for all texts of `task_texts`.
        resamples: The number of replicates, >= 1.
        seed: The seed of the draws; use the same one for all arms that are compared.

    Raises:
        ValueError: as for `score_cell`, or tasks of this type or main score cannot be resampled.
        RuntimeError: the measure of all items is not mteb's score, because this mteb computes it in another way.
    """
    if resamples < 1:
        raise ValueError(f"resamples: must be >= 1, got {resamples}")
    check_confirmable(task)
    return _resampled(arm, task, vectors, resamples, seed, quick=False)


def standard_error(replicates: np.ndarray) -> float:
    """Half the width of the interval that holds the middle 68 % of the replicates.

    It is the standard deviation where they are normal, and stays finite where few runs give them long tails.
    """
    low, high = np.quantile(replicates, norm.cdf([-1, 1]))
    return float(high - low) / 2


def _resampled(
    arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray], resamples: int, seed: int, quick: bool
) -> tuple[Score, np.ndarray]:
    from tl_search.scoring.encoder import VectorEncoder
    from tl_search.scoring.quicker.search import VectorSearch, can_search, leave_out_deviations, look_no_deeper

    run, error = fresh_task(task), None
    if searched := quick and can_search(run):
        look_no_deeper(run)
    encoder = (VectorSearch if searched else VectorEncoder)(arm, vectors)
    with one_thread_where_solved(task.type):
        watch = Watch(task, run, encoder, quick)
        evaluation = evaluate(task, encoder, run, predictions=not watch.per_query)
        if searched:
            leave_out_deviations(evaluation.result)
        scores = {found["hf_subset"]: found["main_score"] for found in evaluation.result["scores"][task.scored_on]}
        try:
            copies = [
                replicate(_items(part, scores[part.subset]), scores[part.subset], seed, resamples)
                for part in watch.parts()
            ]
            values = np.mean(copies, axis=0)
            error = round(standard_error(values), 6)
        except (ValueError, RuntimeError):
            if not quick:
                raise
            values = np.full(resamples, evaluation.value)
    return Score(arm, task, evaluation.value, evaluation.seconds, evaluation.result, error), values


def _items(part: Part, score: float) -> Items:
    task = part.task
    items = TYPES[task.type][0](part)
    if items.exact:
        whole = float(items.score(np.ones((1, len(items.names))))[0])
        if abs(whole - score) > 1e-4:
            raise RuntimeError(f"{task.name}: {task.main_score} of all items is {whole:.6f}, mteb: {score}")
    return items


def replicate(items: Items, score: float, seed: int, resamples: int) -> np.ndarray:
    """Replicates (resample,) of a score: it, and how it deviates with other items and other runs."""
    means, scores = [], []
    for block in draws.weights(items.names, seed, resamples, items.halves):
        runs = items.run_scores(block)
        scores.append(runs)
        means.append(items.measure(block) if items.measure else runs.mean(axis=1))
    if items.again:
        found = score + _by_making_again(items.names, items.again, seed, resamples)
    else:
        found = score + _by_items(items, np.concatenate(means), seed)
    if items.runs:
        whole = items.run_scores(np.ones((1, len(items.names))))[0]
        found += _by_runs(items.runs, whole, np.concatenate(scores), seed)
    return found


def _by_making_again(names: tuple[str, ...], again: Again, seed: int, resamples: int) -> np.ndarray:
    """Deviations (resample,) that have the spread of a few scores of weighted items.

    Each is a sum of theirs with random signs and sizes, which all arms have in common.
    """
    blocks = draws.weights(names, seed, again.times)
    few = _as_many(np.concatenate([np.stack([part(block) for part in again.parts], axis=1) for block in blocks]), again)
    what = joint_digest(sorted(set(names)))
    leaning = draws.normal([f"{what} {number}" for number in range(again.times)], seed, resamples)
    free = again.times - 1
    return leaning @ few / np.sqrt(free) * draws.student([what], free, seed, resamples)


def _as_many(values: np.ndarray, again: Again) -> np.ndarray:
    """Deviations (time,) from the mean of the scores that all parts would have, of some parts' scores (time, part).

    A weighting moves each part in its own way, too, so a mean of few parts varies more than one of all. How much more
    is told by what neither the weighting nor the part explains (an analysis of variance without replication).
    """
    means = values.mean(axis=1) - values.mean()
    times, count = values.shape
    levels = [values[:, np.equal(again.levels, level)] for level in set(again.levels)]
    free = (times - 1) * (count - len(levels))
    found = means @ means / (times - 1)
    if not free or count == again.of or found == 0:
        return means
    own = sum(float((_unexplained(level) ** 2).sum()) for level in levels) / free
    wanted = max(found - own / count, 0.0) + own / again.of
    return means * np.sqrt(min(wanted / found, 1.0))


def _unexplained(values: np.ndarray) -> np.ndarray:
    """What neither the row nor the column of a table explains."""
    return values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()


def _by_items(items: Items, scores: np.ndarray, seed: int) -> np.ndarray:
    """Deviations (resample,) from the scores (resample,) of weighted items."""
    count = items.counted or len(set(items.names))
    if count < 2:
        return np.zeros(len(scores))
    # means with exponential weights vary by n - 1 over n + 1 of what the variance of a mean is estimated to be
    wider = 1.0 if items.halves else np.sqrt((count + 1) / (count - 1))
    return wider * (scores - scores.mean()) * draws.student(items.names, count - 1, seed, len(scores))


def _by_runs(runs: Runs, whole: np.ndarray, scores: np.ndarray, seed: int) -> np.ndarray:
    """Deviations (resample,) from the scores of runs on all items (run,) and on weighted ones (resample, run).

    Runs differ also since each errs on other items. That is in the deviations by items already, so it is taken off.
    """
    found = runs.contrasts @ whole
    by_items = (scores @ runs.contrasts.T).var(axis=0).sum()
    share = max(0.0, 1 - by_items / (found @ found)) if found.any() else 0.0
    leaning = draws.normal(runs.names, seed, len(scores)) @ found
    return np.sqrt(share) * leaning * draws.student(runs.names, runs.freedom, seed, len(scores))


def check_confirmable(task: TaskSpec) -> None:
    """Check that the task's items can be resampled, as far as this is known before an evaluation.

    Raises:
        ValueError: tasks of this type, or with this main score, cannot be resampled.
    """
    if task.type not in TYPES:
        raise ValueError(f"tasks.names: {task.name} cannot be confirmed; {must_be_one_of('type', task.type, TYPES)}")
    known = TYPES[task.type][1]
    kind, _, cut = task.main_score.rpartition("_")
    if task.main_score not in known and not (cut.isdecimal() and f"{kind}_" in known):
        shown = [f"{name}10" if name.endswith("_") else name for name in known]
        raise ValueError(
            f"tasks.names: {task.name} cannot be confirmed; {must_be_one_of('main_score', task.main_score, shown)}"
        )
