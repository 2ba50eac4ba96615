"""The score of a cell: mteb's main score for an arm's vectors on one split of a task."""

from collections.abc import Mapping

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec
from tl_search.scoring.evaluation import describe, evaluate

__all__ = ["describe", "score_cell"]


def score_cell(arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray]) -> Score:
    """Evaluate an arm on a task; the same vectors give the same score, whatever ran before.

    Args:
        arm: Whose vectors they are.
        task: From `describe`.
        vectors: Text digest → vector (width,), for all of `task_texts`; more do no harm.

    Raises:
        ValueError: a vector is missing or not finite, the vectors are all the same, or mteb's score is no number.
    """
    from tl_search.scoring.encoder import VectorEncoder

    evaluation = evaluate(task, VectorEncoder(arm, vectors))
    return Score(arm, task, evaluation.value, evaluation.seconds, evaluation.result)
