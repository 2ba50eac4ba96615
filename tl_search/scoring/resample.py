"""Bootstrap replicates of a cell's score, for confidence intervals of the difference between two arms.

This is a paired bootstrap (Efron and Tibshirani, 1993, ch. 16): the draws depend only on the task and a seed, so
replicate i has the same items for every arm, and the differences of two arms' replicates give an interval.

An item is a text (Classification, Clustering), a pair (STS, PairClassification) or a query (Retrieval, Reranking; the
documents are not resampled). mteb makes its predictions once, and a replicate measures them on the drawn items. So the
replicates vary with the test items, but not with the training of classifiers or the sampling of their training texts.

Clustering is an approximation: mteb's score is a mean over k-means runs on random samples, while the replicates measure
one k-means assignment of all texts on the drawn texts, and are shifted so that their mean is mteb's score. (Older
clustering tasks cluster fixed sets once; for them mteb's assignments are used.) Scores that are a maximum over
thresholds or similarities are too high on drawn items, in which noise is repeated; they are shifted in the same way.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec
from tl_search.scoring import replicates as measures
from tl_search.scoring.evaluation import evaluate, fresh_task, must_be_one_of, split_data


@dataclass(frozen=True)
class Items:
    """The evaluated items of one arm.

    Args:
        sizes: The number of items in each stratum.
        measure: Computes the main score of any draw of the items.
        exact: Whether the measure of all items, each once, equals mteb's score.
        centred: Whether the replicates must be shifted so that their mean is mteb's score.
    """

    sizes: tuple[int, ...]
    measure: measures.Measure
    exact: bool = True
    centred: bool = False


def confirm_cell(
    arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray], resamples: int, seed: int
) -> tuple[Score, np.ndarray]:
    """The cell's score, as `score_cell` gives it, and its bootstrap replicates: fp64 (resample,), on the same scale.

    Args:
        vectors: Text digest → vector (width,), for all texts of `task_texts`.
        resamples: The number of replicates, >= 1.
        seed: The seed of the draws; use the same one for all arms that are compared.

    Raises:
        ValueError: as for `score_cell`, or tasks of this type or main score cannot be resampled.
        RuntimeError: the measure of all items is not mteb's score, because this mteb computes it in another way.
    """
    from tl_search.scoring.encoder import VectorEncoder

    if resamples < 1:
        raise ValueError(f"resamples: must be >= 1, got {resamples}")
    check_confirmable(task)
    if len(task.subsets) > 1:
        return _several(arm, task, vectors, resamples, seed)
    encoder, run = VectorEncoder(arm, vectors), fresh_task(task)
    with tempfile.TemporaryDirectory() as folder:
        watch = _Watch(task, run, encoder, Path(folder))
        evaluation = evaluate(task, encoder, run, None if watch.per_query else Path(folder))
        items = _TYPES[task.type][0](watch)
    if items.exact:
        whole = float(items.measure(np.ones((1, sum(items.sizes))))[0])
        if abs(whole - evaluation.value) > 1e-4:
            raise RuntimeError(f"{task.name}: {task.main_score} of all items is {whole:.6f}, mteb: {evaluation.value}")
    values = np.concatenate([items.measure(counts) for counts in measures.draw(task, seed, items.sizes, resamples)])
    if items.centred:
        values += evaluation.value - values.mean()
    return Score(arm, task, evaluation.value, evaluation.seconds, evaluation.result), values


def _several(
    arm: Arm, task: TaskSpec, vectors: Mapping[str, np.ndarray], resamples: int, seed: int
) -> tuple[Score, np.ndarray]:
    """A task on several subsets: its score is their mean, and items are drawn within each."""
    from tl_search.scoring.encoder import VectorEncoder

    parts = [replace(task, subset=subset) for subset in task.subsets]
    copies = [confirm_cell(arm, part, vectors, resamples, seed)[1] for part in parts]
    whole = evaluate(task, VectorEncoder(arm, vectors))
    return Score(arm, task, whole.value, whole.seconds, whole.result), np.mean(copies, axis=0)


def check_confirmable(task: TaskSpec) -> None:
    """Check that the task's items can be resampled, as far as this is known before an evaluation.

    Raises:
        ValueError: tasks of this type, or with this main score, cannot be resampled.
    """
    if task.type not in _TYPES:
        raise ValueError(f"tasks.names: {task.name} cannot be confirmed; {must_be_one_of('type', task.type, _TYPES)}")
    known = _TYPES[task.type][1]
    kind, _, cut = task.main_score.rpartition("_")
    if task.main_score not in known and not (cut.isdecimal() and f"{kind}_" in known):
        shown = [f"{name}10" if name.endswith("_") else name for name in known]
        raise ValueError(
            f"tasks.names: {task.name} cannot be confirmed; {must_be_one_of('main_score', task.main_score, shown)}"
        )


class _Watch:
    """Collects what an evaluation produces besides its score: predictions, labels, scores per query."""

    def __init__(self, task: TaskSpec, run: Any, encoder: Any, folder: Path) -> None:
        self.task, self.run, self.encoder, self.folder = task, run, encoder, folder
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

    def data(self) -> Any:
        return split_data(self.run, self.task.subset)[self.task.split]

    def predictions(self) -> Any:
        saved = json.loads((self.folder / self.run.prediction_file_name).read_text())
        return saved[self.task.subset][self.task.split]


def _classification(watch: _Watch) -> Items:
    if watch.run.is_cross_validation:
        raise ValueError(f"tasks.names: {watch.task.name} cannot be confirmed: it has no test split of its own")
    labels = np.asarray(list(watch.data()[watch.run.label_column_name]))
    experiments = [
        measures.classification(watch.task.main_score, labels, np.asarray(predicted))
        for predicted in watch.predictions()
    ]
    return Items((len(labels),), measures.over(np.mean, experiments))


# The first word of a main score → mteb's name of the scores of pairs that it is computed from.
_PAIR_SCORES = {
    "similarity": "similarity_scores",
    "cosine": "cosine_scores",
    "manhattan": "manhattan_distances",
    "euclidean": "euclidean_distances",
    "dot": "dot_scores",
}


def _pair_classification(watch: _Watch) -> Items:
    kind, _, name = watch.task.main_score.partition("_")
    kinds = [*_PAIR_SCORES] if kind == "max" else [kind]
    data, column = watch.data(), watch.run.label_column_name
    labels = np.asarray(list(data[0][column] if len(data) == 1 else data[column]))  # older tasks: all pairs in one row
    predicted = watch.predictions()
    fields = [_PAIR_SCORES[kind] for kind in kinds]
    scored = [np.asarray(predicted[field]) * (-1 if field.endswith("distances") else 1) for field in fields]
    best = measures.over(np.max, [measures.pairs(name, scores, labels == 1) for scores in scored])
    return Items((len(labels),), best, centred=kind == "max" or name != "ap")


_STS_MAIN = tuple(f"{kind}{n}" for n in ("spearman", "pearson") for kind in ("", "cosine_", "manhattan_", "euclidean_"))


def _sts(watch: _Watch) -> Items:
    kind, _, name = watch.task.main_score.rpartition("_")
    gold = np.asarray(list(watch.data()["score"]), dtype=np.float64)
    scores = np.asarray(watch.predictions()[_PAIR_SCORES[kind or "similarity"]])
    return Items((len(gold),), measures.correlation(name, gold, scores))


_QUERY_SCORES = {
    "ndcg_at_": "ndcg_cut_",
    "map_at_": "map_cut_",
    "recall_at_": "recall_",
    "precision_at_": "P_",
    "hit_rate_at_": "success_",
}


def _retrieval(watch: _Watch) -> Items:
    kind, _, cut = watch.task.main_score.rpartition("_")
    kind += "_"
    names = sorted(watch.queries)  # mteb's order depends on the arm's results
    if kind in _QUERY_SCORES:
        values = [watch.queries[name][_QUERY_SCORES[kind] + cut] for name in names]
    elif watch.run.skip_first_result:
        raise ValueError(f"tasks.names: {watch.task.name} cannot be confirmed: its {kind}{cut} skips the first result")
    else:
        values = [_reciprocal_rank(watch.found[name], watch.relevant[name], int(cut)) for name in names]
    return Items((len(names),), measures.mean_of(np.asarray(values)))


def _reciprocal_rank(found: Mapping[str, float], relevant: Mapping[str, int], cut: int) -> float:
    ranked = sorted(found, key=lambda document: (found[document], document), reverse=True)
    places = (place for place, document in enumerate(ranked[:cut], 1) if relevant.get(document, 0) > 0)
    return 1 / next(places, float("inf"))


def _clustering(watch: _Watch) -> Items:
    if not hasattr(watch.run, "max_documents_per_cluster"):
        return _clustered_sets(watch)
    from sklearn.cluster import MiniBatchKMeans

    run, data = fresh_task(watch.task), watch.data()
    limit = run.max_document_to_embed
    if run.max_fraction_of_documents_to_embed is not None:
        limit = int(run.max_fraction_of_documents_to_embed * len(data))
    if limit is not None:  # mteb's first use of the task's random state
        data = data.select(run.rng_state.sample(range(len(data)), k=min(len(data), limit)))
    states = watch.encoder.encode([{"text": list(data[run.input_column_name])}])
    labels = [label if isinstance(label, list) else [label] for label in data[run.label_column_name]]
    levels = []
    for level in range(min(run.max_depth or len(labels), max(map(len, labels)))):
        kept = np.flatnonzero([len(label) > level and label[level] != -1 for label in labels])
        named = np.asarray([labels[place][level] for place in kept])
        kmeans = MiniBatchKMeans(
            n_clusters=len(np.unique(named)), batch_size=run.k_mean_batch_size, n_init=1, random_state=run.seed
        )
        levels.append(_on(kept, measures.v_measure(named, kmeans.fit_predict(states[kept]))))
    return Items((len(labels),), measures.over(np.mean, levels), exact=False, centred=True)


def _clustered_sets(watch: _Watch) -> Items:
    """For tasks with several sets of texts, each clustered once; texts are drawn within their set."""
    assigned = iter(watch.predictions())
    sizes: list[int] = []
    sets: list[measures.Measure] = []
    for labels in watch.data()[watch.run.label_column_name]:
        named = np.asarray(labels)
        # mteb does not cluster a set that has only one label
        clusters = np.asarray(next(assigned)) if len(set(labels)) > 1 else np.zeros(len(labels), dtype=int)
        sets.append(_on(slice(sum(sizes), sum(sizes) + len(labels)), measures.v_measure(named, clusters)))
        sizes.append(len(labels))
    return Items(tuple(sizes), measures.over(np.mean, sets), exact=False, centred=True)


def _on(items: np.ndarray | slice, measure: measures.Measure) -> measures.Measure:
    return lambda counts: measure(counts[:, items])


_RANKED = (*_QUERY_SCORES, "mrr_at_")
_PAIRED = tuple(f"{kind}_{name}" for name in measures.PAIRS for kind in ("max", *_PAIR_SCORES))

# Task type → (what makes its items, the main scores that can be resampled; where a name ends in "_", a number follows).
_TYPES: Mapping[str, tuple[Callable[[_Watch], Items], tuple[str, ...]]] = {
    "Classification": (_classification, measures.CLASSIFICATION),
    "Clustering": (_clustering, ("v_measure",)),
    "PairClassification": (_pair_classification, _PAIRED),
    "Reranking": (_retrieval, _RANKED),
    "Retrieval": (_retrieval, _RANKED),
    "STS": (_sts, _STS_MAIN),
}
