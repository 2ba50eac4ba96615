"""What a score is made of, by type of task: its items, what measures any weighting of them, and what it repeats.

An item is a text (Classification, Clustering), a pair (STS, PairClassification) or a query (Retrieval, Reranking; the
documents are not drawn). mteb makes its predictions once, and a replicate measures them on weighted items.

Classification and clustering repeat something random: they fit heads on draws of the training rows, or cluster again.
How the scores of these runs differ tells how much the score would vary with it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.plane.pull import TaskSpec
from tl_search.scoring import replicates as measures
from tl_search.scoring.evaluation import fresh_task, split_data
from tl_search.scoring.rows import text_columns


@dataclass(frozen=True)
class Runs:
    """What an evaluation repeats with other random draws; its score is the mean over the runs.

    Args:
        parts: The measure of each run.
        names: What is random about each deviation; deviations of two tasks that are due to the same have the same name.
        contrasts: Turn the scores of the runs into deviations (deviation, run): independent, of mean 0, and such that
            their sum has the variance that the draws give the whole score.
        freedom: How many values their spread is estimated from.
    """

    parts: tuple[measures.Measure, ...]
    names: tuple[str, ...]
    contrasts: np.ndarray
    freedom: int

    @classmethod
    def alike(cls, runs: Sequence[measures.Measure], names: Sequence[str], factor: float) -> "Runs":
        """Runs that differ from their mean.

        Args:
            factor: The variance that the draws give the score, as a multiple of the variance of one run.
        """
        count = len(runs)
        from_mean = np.eye(count) - 1 / count
        return cls(tuple(runs), tuple(names), np.sqrt(factor / (count - 1)) * from_mean, count - 1)


@dataclass(frozen=True)
class Items:
    """The evaluated items of one arm.

    Args:
        names: What each item is; items of two tasks that are the same have the same name.
        measure: Computes the main score of any weighting of the items; None where the runs say it.
        exact: Whether the measure of all items, each once, equals mteb's score.
        runs: What the evaluation repeats; None where it repeats nothing, or nothing that differs.
    """

    names: tuple[str, ...]
    measure: measures.Measure | None
    exact: bool = True
    runs: Runs | None = None

    def score(self, weights: np.ndarray) -> np.ndarray:
        """The score (resample,) of weighted items (resample, item)."""
        return self.measure(weights) if self.measure else self.run_scores(weights).mean(axis=1)

    def run_scores(self, weights: np.ndarray) -> np.ndarray:
        """The scores (resample, run) of weighted items (resample, item)."""
        return np.stack([part(weights) for part in self.runs.parts], axis=1) if self.runs else np.empty((0, 0))


class Watch:
    """Collects what an evaluation produces besides its score: predictions, labels, scores per query."""

    def __init__(self, task: TaskSpec, run: Any, encoder: Any, folder: Path, quick: bool) -> None:
        self.task, self.run, self.encoder, self.folder, self.quick = task, run, encoder, folder, quick
        self.queries: dict[str, dict[str, float]] = {}
        self.found: Mapping[str, Mapping[str, float]] = {}
        self.relevant: Mapping[str, Mapping[str, int]] = {}
        self.per_query = hasattr(run, "task_specific_scores")
        if self.per_query:  # mteb calls this hook for a task's own measures, with the scores of all queries
            own = run.task_specific_scores

            def record(scores: Any, qrels: Any, results: Any, **names: Any) -> Any:
                self.queries, self.relevant, self.found = scores, qrels, results
                return own(scores, qrels, results, **names)

            run.task_specific_scores = record

        self.heads: list[list[int]] = []  # the training rows of each
        if hasattr(run, "_undersample_data"):  # mteb asks for the rows of every head before it fits the first one
            undersample = run._undersample_data

            def note(table: Any, number: int, rows: list[int] | None = None) -> Any:
                found = undersample(table, number, rows)
                self.heads.append(found[2])
                return found

            run._undersample_data = note

    def data(self) -> Any:
        return split_data(self.run, self.task.subset)[self.task.split]

    def predictions(self) -> Any:
        saved = json.loads((self.folder / self.run.prediction_file_name).read_text())
        return saved[self.task.subset][self.task.split]

    def names(self, table: Any) -> tuple[str, ...]:
        """What each row of a table is: what the task says that its rows are made of, else their texts."""
        origin = getattr(self.run, "item_column", None)
        known = [name for name in ([origin] if origin else text_columns(self.run)) if name in table[0]]
        return tuple("\0".join(map(str, row)) for row in zip(*(list(table[name]) for name in known), strict=True))


def _classification(watch: Watch) -> Items:
    if watch.run.is_cross_validation:
        raise ValueError(f"tasks.names: {watch.task.name} cannot be confirmed: it has no test split of its own")
    data, name = watch.data(), watch.task.main_score
    labels = np.asarray(list(data[watch.run.label_column_name]))
    heads = [measures.classification(name, labels, np.asarray(predicted)) for predicted in watch.predictions()]
    runs = _heads(watch, heads)
    return Items(watch.names(data), None if runs else measures.over(np.mean, heads), runs=runs)


def _heads(watch: Watch, heads: Sequence[measures.Measure]) -> Runs | None:
    """The heads, which were fitted on different draws of the training rows.

    How they differ tells how the score differs between draws of this size *from these rows*. Other rows would add to
    that, since two draws have rows in common. Where heads come in pairs on halves of the rows that have none in common,
    half of the difference of a pair tells the whole (McCarthy, 1969, on balanced half-samples). Else, for a score that
    is linear in what each row contributes, other rows add share / (1 - share) of the variance between heads (Shao and
    Wu, 1989, on the jackknife that leaves out many); scores that are not linear vary less.
    """
    table = split_data(watch.run, watch.task.subset)[watch.run.train_split]
    drawn = watch.heads[: len(heads)]
    share = _share_of_labels(list(table[watch.run.label_column_name]), drawn[0])
    if len(heads) < 2 or share == 1:
        return None
    texts = watch.names(table)
    names = [_digest(sorted(texts[row] for row in rows)) for rows in drawn]
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


def _pair_classification(watch: Watch) -> Items:
    kind, _, name = watch.task.main_score.partition("_")
    kinds = [*_PAIR_SCORES] if kind == "max" else [kind]
    data, column = watch.data(), watch.run.label_column_name
    table = data[0] if len(data) == 1 else data  # older tasks: all pairs in one row
    labels = np.asarray(list(table[column]))
    predicted = watch.predictions()
    fields = [_PAIR_SCORES[kind] for kind in kinds]
    scored = [np.asarray(predicted[field]) * (-1 if field.endswith("distances") else 1) for field in fields]
    best = measures.over(np.max, [measures.pairs(name, scores, labels == 1) for scores in scored])
    return Items(watch.names(table), best)


_STS_MAIN = tuple(f"{kind}{n}" for n in ("spearman", "pearson") for kind in ("", "cosine_", "manhattan_", "euclidean_"))


def _sts(watch: Watch) -> Items:
    kind, _, name = watch.task.main_score.rpartition("_")
    data = watch.data()
    gold = np.asarray(list(data["score"]), dtype=np.float64)
    scores = np.asarray(watch.predictions()[_PAIR_SCORES[kind or "similarity"]])
    return Items(watch.names(data), measures.correlation(name, gold, scores))


_QUERY_SCORES = {
    "ndcg_at_": "ndcg_cut_",
    "map_at_": "map_cut_",
    "recall_at_": "recall_",
    "precision_at_": "P_",
    "hit_rate_at_": "success_",
}


def _retrieval(watch: Watch) -> Items:
    kind, _, cut = watch.task.main_score.rpartition("_")
    kind += "_"
    names = sorted(watch.queries)  # mteb's order depends on the arm's results
    if kind in _QUERY_SCORES:
        values = [watch.queries[name][_QUERY_SCORES[kind] + cut] for name in names]
    elif watch.run.skip_first_result:
        raise ValueError(f"tasks.names: {watch.task.name} cannot be confirmed: its {kind}{cut} skips the first result")
    else:
        values = [_reciprocal_rank(watch.found[name], watch.relevant[name], int(cut)) for name in names]
    queries = watch.data()["queries"]
    texts = dict(zip(queries["id"], map(str, queries["text"]), strict=True))
    return Items(tuple(texts[name] for name in names), measures.mean_of(np.asarray(values)))


def _reciprocal_rank(found: Mapping[str, float], relevant: Mapping[str, int], cut: int) -> float:
    ranked = sorted(found, key=lambda document: (found[document], document), reverse=True)
    places = (place for place, document in enumerate(ranked[:cut], 1) if relevant.get(document, 0) > 0)
    return 1 / next(places, float("inf"))


def _clustering(watch: Watch) -> Items:
    """mteb clusters samples of the texts again and again; an item counts as often as it is in a sample."""
    if not hasattr(watch.run, "max_documents_per_cluster"):
        return _clustered_sets(watch)
    run, data = fresh_task(watch.task), watch.data()
    limit = run.max_document_to_embed
    if run.max_fraction_of_documents_to_embed is not None:
        limit = int(run.max_fraction_of_documents_to_embed * len(data))
    if limit is not None:  # mteb's first use of the task's random state
        data = data.select(run.rng_state.sample(range(len(data)), k=min(len(data), limit)))
    labels = [label if isinstance(label, list) else [label] for label in data[run.label_column_name]]
    samples, predicted = [], watch.predictions().values()
    depth = len(predicted)
    for level, assigned in enumerate(predicted):
        known = np.flatnonzero([len(label) > level and label[level] != -1 for label in labels])
        for clusters in assigned:
            drawn = known[run.rng_state.choices(range(len(known)), k=run.max_documents_per_cluster)]
            kept, first, times = np.unique(drawn, return_index=True, return_counts=True)
            named = np.asarray([labels[place][level] for place in kept])
            samples.append(_on(kept, measures.v_measure(named, np.asarray(clusters)[first], times)))
    names = watch.names(data)
    if watch.quick:
        return Items(names, None, runs=_again(names, samples, 1 / len(samples)))
    levels = [_drawn_again(watch, data, [label[level : level + 1] for label in labels]) for level in range(depth)]
    again = [measures.over(np.mean, one) for one in zip(*levels, strict=True)]
    return Items(names, measures.over(np.mean, samples), runs=_again(names, again, 1.0))


ASSIGNMENTS = 10  # that are tried


def _drawn_again(watch: Watch, data: Any, labels: Sequence[Sequence[Any]]) -> list[measures.Measure]:
    """All texts as they are assigned by clusterings of as many drawn ones: other texts give other clusters."""
    from sklearn.cluster import MiniBatchKMeans

    known = np.flatnonzero([label not in ([], [-1]) for label in map(list, labels)])
    named = np.asarray([labels[place][0] for place in known])
    states = watch.encoder.encode([{"text": list(data[watch.run.input_column_name])}])[known]
    found = []
    for seed in range(watch.run.seed, watch.run.seed + ASSIGNMENTS):
        count, size = len(np.unique(named)), watch.run.k_mean_batch_size
        drawn = np.random.default_rng(seed).integers(len(known), size=len(known))
        means = MiniBatchKMeans(count, batch_size=size, n_init=1, random_state=seed).fit(states[drawn])
        found.append(_on(known, measures.v_measure(named, means.predict(states))))
    return found


def _clustered_sets(watch: Watch) -> Items:
    """For tasks with several sets of texts, each clustered once: how it may be clustered is tried some times more."""
    from sklearn.cluster import MiniBatchKMeans

    assigned, assignments = iter(watch.predictions()), 1 if watch.quick else ASSIGNMENTS
    data, size = watch.data(), 0
    sets: list[list[measures.Measure]] = []
    for texts, labels in zip(data[watch.run.input_column_name], data[watch.run.label_column_name], strict=True):
        named, place = np.asarray(labels), slice(size, size + len(labels))
        size = place.stop
        count = len(set(labels))
        if count > 1:
            states, tried = watch.encoder.encode([{"text": list(texts)}]), [np.asarray(next(assigned))]
            for seed in range(1, assignments):
                again = MiniBatchKMeans(count, batch_size=500, n_init="auto", random_state=watch.run.seed + seed)
                tried.append(again.fit(states).labels_)
        else:  # mteb does not cluster a set that has only one label
            tried = [np.zeros(len(labels), dtype=int)] * assignments
        sets.append([_on(place, measures.v_measure(named, clusters)) for clusters in tried])
    whole = [measures.over(np.mean, one) for one in zip(*sets, strict=True)]
    names = tuple(text for texts in data[watch.run.input_column_name] for text in texts)
    runs = _again(names, whole, 1.0)
    return Items(names, None if runs else measures.over(np.mean, whole), exact=False, runs=runs)


def _again(names: Sequence[str], runs: Sequence[measures.Measure], factor: float) -> Runs | None:
    items = _digest(names)
    return Runs.alike(runs, [f"{items} {number}" for number in range(len(runs))], factor) if len(runs) > 1 else None


def _digest(names: Iterable[str]) -> str:
    return sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()


def _on(items: np.ndarray | slice, measure: measures.Measure) -> measures.Measure:
    return lambda counts: measure(counts[:, items])


_RANKED = (*_QUERY_SCORES, "mrr_at_")
_PAIRED = tuple(f"{kind}_{name}" for name in measures.PAIRS for kind in ("max", *_PAIR_SCORES))

# Task type → (what makes its items, the main scores that can be resampled; where a name ends in "_", a number follows).
TYPES: Mapping[str, tuple[Callable[[Watch], Items], tuple[str, ...]]] = {
    "Classification": (_classification, measures.CLASSIFICATION),
    "Clustering": (_clustering, ("v_measure",)),
    "PairClassification": (_pair_classification, _PAIRED),
    "Reranking": (_retrieval, _RANKED),
    "Retrieval": (_retrieval, _RANKED),
    "STS": (_sts, _STS_MAIN),
}
