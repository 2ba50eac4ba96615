"""The items of clustering tasks, and how their score varies with other clusterings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tl_search.scoring import replicates as measures
from tl_search.scoring.items import Items, Part, Runs, joint_digest, on


def clustering(part: Part) -> Items:
    """mteb clusters samples of the texts again and again; an item counts as often as it is in a sample."""
    if not hasattr(part.run, "max_documents_per_cluster"):
        return _clustered_sets(part)
    run, data = part.again, part.data()
    limit = run.max_document_to_embed
    if run.max_fraction_of_documents_to_embed is not None:
        limit = int(run.max_fraction_of_documents_to_embed * len(data))
    if limit is not None:  # mteb's first use of the task's random state
        data = data.select(run.rng_state.sample(range(len(data)), k=min(len(data), limit)))
    labels = [label if isinstance(label, list) else [label] for label in data[run.label_column_name]]
    samples, predicted = [], part.predictions().values()
    for level, assigned in enumerate(predicted):
        known = np.flatnonzero([len(label) > level and label[level] != -1 for label in labels])
        for clusters in assigned:
            drawn = known[run.rng_state.choices(range(len(known)), k=run.max_documents_per_cluster)]
            kept, first, times = np.unique(drawn, return_index=True, return_counts=True)
            named = np.asarray([labels[place][level] for place in kept])
            samples.append(on(kept, measures.v_measure(named, np.asarray(clusters)[first], times)))
    names = part.names(data)
    if part.watch.quick:
        again = _again(names, samples, 1 / len(samples)) if len(samples) > 1 else None
        return Items(names, None if again else measures.over(np.mean, samples), runs=again)
    levels = [
        _cluster_again(part, data, [label[level : level + 1] for label in labels]) for level in range(len(predicted))
    ]
    others = [measures.over(np.mean, one) for one in zip(*levels, strict=True)]
    return Items(names, measures.over(np.mean, samples), runs=_again(names, others, OTHER_TEXTS))


ASSIGNMENTS = 10  # that are tried
# The variance of the score that is due to other clusters, as a multiple of that between clusterings of drawn texts.
# Such a clustering has one start, and the score is a mean over ten; but weights of items leave the clusters as they
# are, so they miss what both have in common. The number is chosen by experiments/coverage, not derived.
OTHER_TEXTS = 0.4


def _cluster_again(part: Part, data: Any, labels: Sequence[Sequence[Any]]) -> list[measures.Measure]:
    """All texts as they are assigned by clusterings of as many drawn ones: other texts give other clusters."""
    from sklearn.cluster import MiniBatchKMeans

    known = np.flatnonzero([list(label) not in ([], [-1]) for label in labels])
    named = np.asarray([labels[int(place)][0] for place in known])
    states = part.vectors(data[part.run.input_column_name])[known]
    count, size = len(np.unique(named)), part.run.k_mean_batch_size
    found = []
    for seed in range(part.run.seed, part.run.seed + ASSIGNMENTS):
        drawn = np.random.default_rng(seed).integers(len(known), size=len(known))
        means = MiniBatchKMeans(count, batch_size=size, n_init=1, random_state=seed).fit(states[drawn])
        found.append(on(known, measures.v_measure(named, means.predict(states))))
    return found


def _clustered_sets(part: Part) -> Items:
    """For tasks with several sets of texts, each clustered once: how it may be clustered is tried some times more."""
    from sklearn.cluster import MiniBatchKMeans

    assigned, assignments = iter(part.predictions()), 1 if part.watch.quick else ASSIGNMENTS
    data, size = part.data(), 0
    sets: list[list[measures.Measure]] = []
    for texts, labels in zip(data[part.run.input_column_name], data[part.run.label_column_name], strict=True):
        named, place = np.asarray(labels), slice(size, size + len(labels))
        size = place.stop
        count = len(set(labels))
        if count > 1:
            states, tried = part.vectors(texts), [np.asarray(next(assigned))]
            for seed in range(1, assignments):
                again = MiniBatchKMeans(count, batch_size=500, n_init="auto", random_state=part.run.seed + seed)
                tried.append(again.fit(states).labels_)
        else:  # mteb does not cluster a set that has only one label
            tried = [np.zeros(len(labels), dtype=int)] * assignments
        sets.append([on(place, measures.v_measure(named, clusters)) for clusters in tried])
    whole = [measures.over(np.mean, one) for one in zip(*sets, strict=True)]
    names = tuple(text for texts in data[part.run.input_column_name] for text in texts)
    runs = _again(names, whole, 1.0) if len(whole) > 1 else None
    return Items(names, None if runs else measures.over(np.mean, whole), exact=False, runs=runs)


def _again(names: Sequence[str], runs: Sequence[measures.Measure], factor: float) -> Runs:
    items = joint_digest(names)
    return Runs.alike(runs, [f"{items} {number}" for number in range(len(runs))], factor)
