"""The score of a cell: mteb's main score for an arm's vectors on one split of a task."""

from collections.abc import Mapping

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec
from tl_search.scoring.evaluation import describe, evaluate

__all__ = ["describe", "score_cell"]


def score_cell(arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray]) -> Score:
    """Evaluate an arm on a task; the same vectors always give the same score.

    Args:
        arm: The arm that the vectors belong to.
        task: The task, as `describe` gives it.
        vectors: Text digest → vector (width,), for all texts of `task_texts`; others are ignored.

    Raises:
        ValueError: a vector is missing or not finite, all vectors are equal, or mteb's score is not a finite number.
    """
    from tl_search.scoring.encoder import VectorEncoder

    evaluation = evaluate(task, VectorEncoder(arm, vectors))
    return Score(arm, task, evaluation.value, evaluation.seconds, evaluation.result)
