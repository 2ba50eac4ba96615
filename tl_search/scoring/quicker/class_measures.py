"""Lets mteb's classification compute its measures from one count of right and wrong predictions.

mteb asks scikit-learn for precision, recall and F1 six times, for every experiment of every cell, and each time the
labels are checked and counted anew: half of a small task's time. Scores are equal.
"""

from typing import Any

import numpy as np
from mteb.abstasks import AbsTaskClassification
from sklearn.metrics import accuracy_score, average_precision_score, precision_recall_fscore_support


def count_classes_once(task: Any) -> None:
    """Change a classification task so that it computes the same measures sooner, unless it has measures of its own."""
    if type(task)._calculate_scores is AbsTaskClassification._calculate_scores:
        task._calculate_scores = _measures


def _measures(y_test: Any, y_pred: Any) -> dict[str, float | None]:
    """mteb's measures of one experiment, of true and predicted labels (text,)."""
    y_test, y_pred = np.asarray(y_test[:]), np.asarray(y_pred)
    precision, recall, f1, size = precision_recall_fscore_support(y_test, y_pred)  # of each class
    found: dict[str, float | None] = {"accuracy": accuracy_score(y_test, y_pred)}
    for name, values in (("f1", f1), ("precision", precision), ("recall", recall)):
        found[name] = float(np.average(values))
        found[f"{name}_weighted"] = float(np.average(values, weights=size))
    of_two = len(np.unique(y_test)) == 2
    for name, average in (("ap", "macro"), ("ap_weighted", "weighted")):
        found[name] = average_precision_score(y_test, y_pred, average=average) if of_two else None
    return found
