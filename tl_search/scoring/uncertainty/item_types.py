"""The items of a score by type of task: what they are called, and what measures them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from tl_search.scoring.parts.halves import table_of
from tl_search.scoring.uncertainty import replicates as measures
from tl_search.scoring.uncertainty.clusterings import clustering
from tl_search.scoring.uncertainty.groups import LEAST, of_queries
from tl_search.scoring.uncertainty.items import Items, Part, Runs, joint_digest


def _classification(part: Part) -> Items:
    if part.run.is_cross_validation:
        raise ValueError(f"tasks.names: {part.task.name} cannot be confirmed: it has no test split of its own")
    data, name = part.data(), part.task.main_score
    labels = np.asarray(data[part.run.label_column_name][:])
    heads = [measures.classification(name, labels, np.asarray(predicted)) for predicted in part.predictions()]
    runs = _heads(part, heads)
    return Items(part.names(data), None if runs else measures.over(np.mean, heads), runs=runs)


def _heads(part: Part, heads: Sequence[measures.Measure]) -> Runs | None:
    """The heads, which were fitted on different draws of the training rows.

    How they differ tells how the score differs between draws of this size *from these rows*. Other rows would add to
    that, since two draws have rows in common. Where heads come in pairs on halves of the rows that have none in common,
    half of the difference of a pair tells the whole (McCarthy, 1969, on balanced half-samples). Else, for a score that
    is linear in what each row contributes, other rows add share / (1 - share) of the variance between heads (Shao and
    Wu, 1989, on the jackknife that leaves out many); scores that are not linear vary less.
    """
    table = part.splits()[part.run.train_split]
    drawn = part.heads
    share = _share_of_labels(table[part.run.label_column_name][:], drawn[0])
    if len(heads) < 2 or share == 1:
        return None
    texts = part.names(table)
    names = [joint_digest(sorted(texts[row] for row in rows)) for rows in drawn]
    pairs = [*zip(range(0, len(heads), 2), range(1, len(heads), 2), strict=False)]
    if len(heads) % 2 == 0 and all(sorted(drawn[a] + drawn[b]) == [*range(len(table))] for a, b in pairs):
        halves = np.zeros((len(pairs), len(heads)))
        for row, (a, b) in enumerate(pairs):
            halves[row, [a, b]] = np.array([1, -1]) / 2 / np.sqrt(len(pairs))
        return Runs(tuple(heads), tuple(names[::2]), halves, len(pairs))
    return Runs.alike(heads, names, share / (1 - share) + 1 / len(heads))


def _share_of_labels(labels: Sequence[Any], rows: Sequence[int]) -> float:
    """The share of its rows that a draw takes, of a mean label."""
    there, taken = Counter(labels), Counter(labels[row] for row in rows)
    return float(np.mean([taken[label] / count for label, count in there.items()]))


# The first word of a main score → mteb's name of the scores of pairs that it is computed from.
_PAIR_SCORES = {
    "similarity": "similarity_scores",
    "cosine": "cosine_scores",
    "manhattan": "manhattan_distances",
    "euclidean": "euclidean_distances",
    "dot": "dot_scores",
}


def _pair_classification(part: Part) -> Items:
    kind, _, name = part.task.main_score.partition("_")
    kinds = [*_PAIR_SCORES] if kind == "max" else [kind]
    table, column = table_of(part.run, part.data())[0], part.run.label_column_name
    labels = np.asarray(table[column][:])
    predicted = part.predictions()
    fields = [_PAIR_SCORES[kind] for kind in kinds]
    scored = [np.asarray(predicted[field]) * (-1 if field.endswith("distances") else 1) for field in fields]
    scored = [*{one.tobytes(): one for one in scored}.values()]  # an encoder's own similarity is one of the others
    best = measures.over(np.max, [measures.pairs(name, scores, labels == 1) for scores in scored])
    names = part.names_of_pairs(table)
    if _of_rarer(names, labels == 1) < LEAST:
        names = part.names(table)
    return Items(names, best, halves=True, counted=_of_rarer(names, labels == 1))


def _of_rarer(names: Sequence[str], positive: np.ndarray) -> int:
    """How many items or groups the rarer class has."""
    return min(len({name for name, is_one in zip(names, positive, strict=True) if is_one == of}) for of in (0, 1))


_STS_MAIN = tuple(f"{kind}{n}" for n in ("spearman", "pearson") for kind in ("", "cosine_", "manhattan_", "euclidean_"))


def _sts(part: Part) -> Items:
    kind, _, name = part.task.main_score.rpartition("_")
    data = part.data()
    gold = np.asarray(data["score"][:], dtype=np.float64)
    scores = np.asarray(part.predictions()[_PAIR_SCORES[kind or "similarity"]])
    return Items(part.names_of_pairs(data), measures.correlation(name, gold, scores))


def _summarization(part: Part) -> Items:
    """An item is a text with its summaries: the correlation of their scores with those that people gave them."""
    kind, _, name = part.task.main_score.rpartition("_")
    predicted, run = part.predictions(), part.run
    given, scores = predicted["human_scores"], predicted[_PAIR_SCORES[kind or "similarity"]]
    correlate = {"spearman": spearmanr, "pearson": pearsonr}[name]
    found = [correlate(*both) for both in zip(given, scores, strict=True)]
    # the evaluator of SummEval's first version takes the mean of correlations and their p-values
    values = [np.mean(one) if run.evaluator.__name__.startswith("Deprecated") else one.statistic for one in found]
    return Items(_summarized(part, given), measures.mean_of(np.asarray(values)))


def _summarized(part: Part, given: Sequence[Sequence[float]]) -> tuple[str, ...]:
    """The texts whose summaries were given these scores. mteb leaves out those in which all scores of a kind agree."""
    data, run = part.data(), part.run
    scale = run.max_score - run.min_score
    rows = zip(data[run.text_column_name][:], data[run.relevancy_column_name][:], strict=True)
    of_rows = ((str(text), (np.asarray(scores) - run.min_score) / scale) for text, scores in rows)
    return tuple(next(text for text, scores in of_rows if np.array_equal(scores, one)) for one in given)


_QUERY_SCORES = {
    "ndcg_at_": "ndcg_cut_",
    "map_at_": "map_cut_",
    "recall_at_": "recall_",
    "precision_at_": "P_",
    "hit_rate_at_": "success_",
}


def _retrieval(part: Part) -> Items:
    kind, _, cut = part.task.main_score.rpartition("_")
    kind += "_"
    scores, relevant, found = part.queries
    names = sorted(scores)  # mteb's order depends on the arm's results
    if kind in _QUERY_SCORES:
        values = [scores[name][_QUERY_SCORES[kind] + cut] for name in names]
    elif part.run.skip_first_result:
        raise ValueError(f"tasks.names: {part.task.name} cannot be confirmed: its {kind}{cut} skips the first result")
    else:
        values = [_reciprocal_rank(found[name], relevant[name], int(cut)) for name in names]
    queries = part.data()["queries"]
    texts = dict(zip(queries["id"], map(str, queries["text"]), strict=True))
    called = of_queries([texts[name] for name in names], [relevant[name] for name in names])
    return Items(called, measures.mean_of(np.asarray(values)))


def _reciprocal_rank(found: Mapping[str, float], relevant: Mapping[str, int], cut: int) -> float:
    ranked = sorted(found, key=lambda document: (found[document], document), reverse=True)
    places = (place for place, document in enumerate(ranked[:cut], 1) if relevant.get(document, 0) > 0)
    return 1 / next(places, float("inf"))


_SUMMARIES_MAIN = tuple(f"{kind}{name}" for name in ("spearman", "pearson") for kind in ("", "cosine_", "dot_"))
_RANKED = (*_QUERY_SCORES, "mrr_at_")
_PAIRED = tuple(f"{kind}_{name}" for name in measures.PAIRS for kind in ("max", *_PAIR_SCORES))

# Task type → (what makes its items, the main scores that can be resampled; where a name ends in "_", a number follows).
TYPES: Mapping[str, tuple[Callable[[Part], Items], tuple[str, ...]]] = {
    "Classification": (_classification, measures.CLASSIFICATION),
    "Clustering": (clustering, ("v_measure",)),
    "PairClassification": (_pair_classification, _PAIRED),
    "Reranking": (_retrieval, _RANKED),
    "Retrieval": (_retrieval, _RANKED),
    "STS": (_sts, _STS_MAIN),
    "Summarization": (_summarization, _SUMMARIES_MAIN),
}
