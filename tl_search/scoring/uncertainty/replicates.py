"""Main scores of weighted items, for many resamples at once.

A resample is a row of weights, one for each item. Every measure here takes an array of weights (resample, item) and
gives one value per resample. Where the weights are whole numbers, it is the value that the measure would have on a list
in which each item is repeated as often as its weight says.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array

Measure = Callable[[np.ndarray], np.ndarray]

# Replicates may be compared only if they were drawn and measured in the same way. So their key holds this number. Raise
# it when you change what is drawn or measured, anywhere in this folder.
DRAWN_BY = "4"


def mean_of(values: np.ndarray) -> Measure:
    """The mean of one value per item."""
    return lambda counts: counts @ values / counts.sum(axis=1)


def over(how: Callable[..., np.ndarray], measures: Sequence[Measure]) -> Measure:
    """Several measures of the same items as one: their mean with `np.mean`, the largest with `np.max`."""
    return lambda counts: how([measure(counts) for measure in measures], axis=0)


CLASSIFICATION = (
    "accuracy",
    *(f"{name}{weighted}" for name in ("f1", "precision", "recall", "ap") for weighted in ("", "_weighted")),
)


def classification(name: str, labels: np.ndarray, predicted: np.ndarray) -> Measure:
    """A measure of `CLASSIFICATION`; without `_weighted` in its name, it is the plain mean over classes that occur."""
    if name == "accuracy":
        return mean_of((labels == predicted).astype(np.float64))
    if name.startswith("ap"):  # for two classes, for which the plain and the weighted mean are the same
        return pairs("ap", predicted.astype(np.float64), labels == 1)
    classes, codes = np.unique(np.concatenate([labels, predicted]), return_inverse=True)
    true, guessed = (_one_hot(part, len(classes)) for part in np.split(codes, 2))
    right = true.multiply(guessed).tocsr()
    kind, _, weighted = name.partition("_")

    def measure(counts: np.ndarray) -> np.ndarray:
        hits, actual, claimed = counts @ right, counts @ true, counts @ guessed
        whole = {"f1": (actual + claimed) / 2, "precision": claimed, "recall": actual}[kind]
        by_class = _ratio(hits, whole)
        weights = actual if weighted else (actual + claimed > 0).astype(np.float64)
        return (by_class * weights).sum(axis=1) / weights.sum(axis=1)

    return measure


PAIRS = ("ap", "accuracy", "f1")


def pairs(name: str, scores: np.ndarray, positive: np.ndarray) -> Measure:
    """A measure of `PAIRS`: average precision, or the maximum of accuracy or F1 over thresholds.

    Pairs with equal scores are accepted together. As in mteb, accuracy and F1 ignore the thresholds that accept all
    pairs or none.

    Args:
        scores: Array (pair,); higher means more likely positive.
        positive: Boolean array (pair,).
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    if name == "ap":
        return _average_precision(order, ends, positive[order])
    positive = positive[order].astype(np.float64)

    def measure(counts: np.ndarray) -> np.ndarray:
        counts = counts[:, order]
        accepted = np.cumsum(counts, axis=1)[:, ends]
        hits = np.cumsum(counts * positive, axis=1)[:, ends]
        total, positives = accepted[:, -1:], hits[:, -1:]
        if name == "accuracy":
            values = (hits + (total - positives) - (accepted - hits)) / total
        else:
            values = _ratio(2 * hits, accepted + positives)
        return np.where((accepted > 0) & (accepted < total), values, 0).max(axis=1)

    return measure


def _average_precision(order: np.ndarray, ends: np.ndarray, positive: np.ndarray) -> Measure:
    """The mean, over positive pairs, of the share of positives among the pairs that are accepted with it.

    Args:
        order: The pairs (pair,), most similar first.
        ends: Where equal scores end, in this order.
        positive: Of each pair in this order.
    """
    hits_at = np.flatnonzero(positive)
    if not len(hits_at):
        return lambda counts: np.zeros(len(counts))
    accepted_at = ends[np.searchsorted(ends, hits_at)]  # pairs of equal score are accepted together
    last = np.append(np.diff(accepted_at) != 0, True)  # of the positives that are accepted together

    def measure(counts: np.ndarray) -> np.ndarray:
        counts = counts[:, order]
        hits = np.cumsum(counts[:, hits_at], axis=1)[:, last]
        accepted = np.cumsum(counts, axis=1)[:, accepted_at[last]]
        gained = np.diff(hits, axis=1, prepend=0)
        return _ratio((gained * _ratio(hits, accepted)).sum(axis=1), hits[:, -1])

    return measure


def correlation(name: str, gold: np.ndarray, scores: np.ndarray) -> Measure:
    """The `pearson` or `spearman` correlation; 0 for a resample in which all values are equal."""
    if name == "spearman":
        gold_ranks, score_ranks = _ranks(gold), _ranks(scores)
        return lambda counts: _pearson(counts, gold_ranks(counts), score_ranks(counts))
    return lambda counts: _pearson(counts, gold[None, :], scores[None, :])


def v_measure(labels: np.ndarray, clusters: np.ndarray, times: np.ndarray | None = None) -> Measure:
    """The V-measure of clusters and labels (Rosenberg and Hirschberg, 2007).

    Args:
        times: How often each item is there; None for once.
    """
    counted = np.ones(len(labels)) if times is None else times.astype(np.float64)
    label, cluster = (np.unique(values, return_inverse=True)[1] for values in (labels, clusters))
    cell = np.unique(label * len(clusters) + cluster, return_inverse=True)[1]
    groups = [_one_hot(codes, codes.max() + 1) for codes in (label, cluster, cell)]

    def measure(counts: np.ndarray) -> np.ndarray:
        counts = counts * counted
        size = counts.sum(axis=1, keepdims=True)
        of_label, of_cluster, joint = (_entropy(counts @ group / size) for group in groups)
        shared = np.maximum(of_label + of_cluster - joint, 0)
        homogeneity = np.where(of_label > 0, _ratio(shared, of_label), 1)
        completeness = np.where(of_cluster > 0, _ratio(shared, of_cluster), 1)
        return _ratio(2 * homogeneity * completeness, homogeneity + completeness)

    return measure


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)


def _one_hot(codes: np.ndarray, classes: int) -> csr_array:
    return csr_array((np.ones(len(codes)), (np.arange(len(codes)), codes)), shape=(len(codes), classes))


def _entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(shares, out=np.zeros_like(shares), where=shares > 0)).sum(axis=1)


def _ranks(values: np.ndarray) -> Measure:
    """The ranks (resample, item) of items among those drawn; equal values share their mean rank."""
    order = np.argsort(values, kind="stable")
    changes = np.append(True, np.diff(values[order]) != 0)
    starts = np.flatnonzero(changes)
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.cumsum(changes) - 1

    def ranks(counts: np.ndarray) -> np.ndarray:
        sizes = np.add.reduceat(counts[:, order], starts, axis=1)
        return (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, group]

    return ranks


def _pearson(counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    size = counts.sum(axis=1, keepdims=True)
    first = first - (counts * first).sum(axis=1, keepdims=True) / size
    second = second - (counts * second).sum(axis=1, keepdims=True) / size
    spread = np.sqrt((counts * first**2).sum(axis=1) * (counts * second**2).sum(axis=1))
    return _ratio((counts * first * second).sum(axis=1), spread)
