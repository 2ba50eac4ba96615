"""The items of clustering tasks, and how their score varies with other texts and other starts of k-means.

A clustering score depends on its texts twice: they are what the clusters are measured on, and they are what the
clusters are made of. So a replicate must cluster again. That is slow, and a few times say enough (`Items.again`).
"""

from collections.abc import Sequence

import numpy as np

from tl_search.scoring.parts.sampled import embedded_rows
from tl_search.scoring.uncertainty import replicates as measures
from tl_search.scoring.uncertainty.items import Again, Items, Part, Runs, joint_digest, on

TIMES, TIMES_QUICK = 20, 6  # that texts are weighted anew and clustered again
MOVED, MOVED_QUICK = 3, 2  # clusterings of each level that are moved each time; they stand for all


def clustering(part: Part) -> Items:
    """mteb clusters samples of the texts again and again; an item counts as often as it is in a sample.

    The samples and the starts of k-means are random, and the clusterings of one arm differ by much more than the mean
    over them would differ with other texts. So each is not begun anew on weighted texts, but goes on from where it
    ended, until it settles there. How the mean varies with starts and samples is what its own clusterings tell.
    """
    if not hasattr(part.run, "max_documents_per_cluster"):
        return _clustered_sets(part)
    run, data = part.again, part.data()
    if (rows := embedded_rows(run, len(data), run.rng_state)) is not None:  # mteb's first use of the random state
        data = data.select(rows)
    labels = [label if isinstance(label, list) else [label] for label in data[run.label_column_name]]
    states = part.vectors(data[run.input_column_name])
    most = MOVED_QUICK if part.watch.quick else MOVED
    samples: list[measures.Measure] = []
    moved, levels = list[measures.Measure](), list[int]()
    for level, assigned in enumerate(part.predictions().values()):
        known = np.flatnonzero([len(label) > level and label[level] != -1 for label in labels])
        for number, clusters in enumerate(assigned):
            drawn = known[run.rng_state.choices(range(len(known)), k=run.max_documents_per_cluster)]
            kept, first, times = np.unique(drawn, return_index=True, return_counts=True)
            named = np.asarray([labels[place][level] for place in kept])
            ended = np.asarray(clusters)[first]
            samples.append(on(kept, measures.v_measure(named, ended, times)))
            if number < most:
                moved.append(on(kept, _moved(states[kept], named, ended, times)))
                levels.append(level)
    names = part.names(data)
    items, count = joint_digest(names), len(samples)
    starts = Runs.alike(samples, [f"{items} {number}" for number in range(count)], 1 / count) if count > 1 else None
    again = Again(tuple(moved), TIMES_QUICK if part.watch.quick else TIMES, count, tuple(levels))
    return Items(names, None if starts else measures.over(np.mean, samples), runs=starts, again=again)


def _moved(states: np.ndarray, labels: np.ndarray, ended: np.ndarray, times: np.ndarray) -> measures.Measure:
    """The V-measure of weighted texts after k-means has gone on with these weights from the clusters that it found.

    Args:
        states: Vectors (text, width).
        ended: The cluster of each text.
        times: How often each text is in the sample.
    """
    from sklearn.cluster import KMeans

    found = np.unique(ended)
    centres = np.stack([np.average(states[ended == one], axis=0, weights=times[ended == one]) for one in found])

    def measure(weights: np.ndarray) -> np.ndarray:
        values = []
        for row in weights:
            means = KMeans(len(found), init=centres, n_init=1).fit(states, sample_weight=row * times)
            values.append(measures.v_measure(labels, means.labels_, times)(row[None])[0])
        return np.asarray(values)

    return measure


def _clustered_sets(part: Part) -> Items:
    """For tasks with several sets of texts, each clustered once: weighted texts are clustered from another start."""
    data, assigned = part.data(), iter(part.predictions())
    size, sets, others = 0, list[measures.Measure](), list[measures.Measure]()
    for texts, labels in zip(data[part.run.input_column_name], data[part.run.label_column_name], strict=True):
        named, place = np.asarray(labels), slice(size, size + len(labels))
        size = place.stop
        alone = len(set(labels)) < 2  # mteb does not cluster such a set
        whole = measures.v_measure(named, np.zeros(len(labels), dtype=int) if alone else np.asarray(next(assigned)))
        sets.append(on(place, whole))
        if not part.watch.quick:
            others.append(on(place, whole if alone else _another(part, texts, named)))
    names = tuple(text for texts in data[part.run.input_column_name] for text in texts)
    again = Again((measures.over(np.mean, others),), TIMES, 1, (0,)) if others else None
    return Items(names, measures.over(np.mean, sets), exact=False, again=again)


def _another(part: Part, texts: Sequence[str], labels: np.ndarray) -> measures.Measure:
    """The V-measure of weighted texts that are clustered as mteb does, each time from another start."""
    from sklearn.cluster import MiniBatchKMeans

    states, count = part.vectors(texts), len(np.unique(labels))

    def measure(weights: np.ndarray) -> np.ndarray:
        values = []
        for number, row in enumerate(weights, part.run.seed + 1):
            means = MiniBatchKMeans(count, batch_size=500, n_init="auto", random_state=number)
            values.append(measures.v_measure(labels, means.fit(states, sample_weight=row).labels_)(row[None])[0])
        return np.asarray(values)

    return measure
