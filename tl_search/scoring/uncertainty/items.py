"""What a score is made of: its items, what measures any weighting of them, and what its evaluation repeats.

An item is a text (Classification, Clustering), a pair (STS, PairClassification) or a query (Retrieval, Reranking; the
documents are not drawn), or a group of them (`groups`). mteb makes its predictions once, and a replicate measures them
on weighted items.

Classification and clustering repeat something random: they fit heads on draws of the training rows, or cluster again.
How the scores of these runs differ tells how much the score would vary with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from tl_search.plane.pull import TaskSpec
from tl_search.scoring.evaluation import fresh_task, split_data
from tl_search.scoring.rows import text_columns
from tl_search.scoring.uncertainty import replicates as measures
from tl_search.scoring.uncertainty.groups import of_pairs


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
class Again:
    """What must be made anew of weighted items before it can be measured, such as clusters.

    Args:
        parts: Each does so once, and computes the main score.
        times: For how many weightings, since it is slow.
        of: How many such parts the score is a mean over.
        levels: By part: parts of one level, such as coarse or fine labels, differ by chance alone.
    """

    parts: tuple[measures.Measure, ...]
    times: int
    of: int
    levels: tuple[int, ...]


@dataclass(frozen=True)
class Items:
    """The evaluated items of one arm.

    Args:
        names: What each item is; items of two tasks that are the same have the same name.
        measure: Computes the main score of any weighting of the items; None where the runs say it.
        exact: Whether the measure of all items, each once, equals mteb's score.
        runs: What the evaluation repeats; None where it repeats nothing, or nothing that differs.
        again: What items do to the score, where the measure tells only a part of it.
        halves: Whether replicates leave items out instead of weighting them; for measures that look at how items are
            ranked, and take an item that weighs much for several that agree.
        counted: How many items the score is a mean over, where not over all.
    """

    names: tuple[str, ...]
    measure: measures.Measure | None
    exact: bool = True
    runs: Runs | None = None
    again: Again | None = None
    halves: bool = False
    counted: int | None = None

    def score(self, weights: np.ndarray) -> np.ndarray:
        """The score (resample,) of weighted items (resample, item)."""
        return self.measure(weights) if self.measure else self.run_scores(weights).mean(axis=1)

    def run_scores(self, weights: np.ndarray) -> np.ndarray:
        """The scores (resample, run) of weighted items (resample, item)."""
        return np.stack([part(weights) for part in self.runs.parts], axis=1) if self.runs else np.empty((0, 0))


class Watch:
    """Collects what an evaluation produces besides its score: predictions, labels, scores per query.

    Args:
        run: The task that will be evaluated.
        quick: Whether what takes many times longer than the score is left out.
    """

    def __init__(self, task: TaskSpec, run: Any, encoder: Any, quick: bool) -> None:
        self.task, self.run, self.encoder, self.quick = task, run, encoder, quick
        self.queries: dict[str, tuple[Any, Any, Any]] = {}  # by subset
        self.per_query = hasattr(run, "task_specific_scores")
        if self.per_query:  # mteb calls this hook for a task's own measures, with the scores of all queries
            own = run.task_specific_scores

            def record(scores: Any, qrels: Any, results: Any, hf_split: str, hf_subset: str) -> Any:
                self.queries[hf_subset] = (scores, qrels, results)
                return own(scores, qrels, results, hf_split=hf_split, hf_subset=hf_subset)

            run.task_specific_scores = record

        self.predicted: dict[str, Any] = {}  # by subset

        def keep(predictions: Any, *_: Any, hf_subset: str, **__: Any) -> None:
            self.predicted[hf_subset] = predictions

        run._save_task_predictions = keep  # mteb's own writes them to a file

        self.heads: list[list[int]] = []  # the training rows of each, subset after subset
        if hasattr(run, "_undersample_data"):  # mteb asks for the rows of every head before it fits the first one
            undersample = run._undersample_data

            def note(table: Any, number: int, rows: list[int] | None = None) -> Any:
                found = undersample(table, number, rows)
                self.heads.append(found[2])
                return found

            run._undersample_data = note

    def parts(self) -> Iterator["Part"]:
        """What was collected of every subset, in the order in which they were evaluated; to be used in this order."""
        again = fresh_task(self.task)
        for number, subset in enumerate(self.task.subsets):
            yield Part(self, subset, number, again)


@dataclass(frozen=True)
class Part:
    """What an evaluation produced on one subset.

    Args:
        number: Which of the task's subsets it is.
        again: A task whose random state is what mteb's was when it came to this subset.
    """

    watch: Watch
    subset: str
    number: int
    again: Any

    @property
    def task(self) -> TaskSpec:
        return self.watch.task

    @property
    def run(self) -> Any:
        return self.watch.run

    @property
    def heads(self) -> list[list[int]]:
        """The training rows of every head of a classification."""
        count = len(self.watch.heads) // len(self.task.subsets)
        return self.watch.heads[self.number * count : (self.number + 1) * count]

    @property
    def queries(self) -> tuple[Any, Any, Any]:
        """By query: its scores, the judgements of documents, the scores of the documents that were found."""
        return self.watch.queries[self.subset]

    def splits(self) -> Any:
        return split_data(self.run, self.subset)

    def data(self) -> Any:
        return self.splits()[self.task.scored_on]

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """The arm's vectors (text, width)."""
        return self.watch.encoder.encode([{"text": list(texts)}])

    def predictions(self) -> Any:
        return self.watch.predicted[self.subset]

    def names(self, table: Any) -> tuple[str, ...]:
        """What each row of a table is: what the task says that its rows are made of, else their texts."""
        return tuple("\0".join(row) for row in zip(*self._told(table), strict=True))

    def names_of_pairs(self, table: Any) -> tuple[str, ...]:
        """As `names`, of pairs, some of which belong together."""
        return of_pairs(self.names(table), self._told(table))

    def _told(self, table: Any) -> list[list[str]]:
        """The columns that say what the rows of a table are."""
        origin = getattr(self.run, "item_column", None)
        known = [name for name in ([origin] if origin else text_columns(self.run)) if name in table[0]]
        return [[*map(str, table[name][:])] for name in known]


def joint_digest(names: Iterable[str]) -> str:
    return sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()


def on(items: np.ndarray | slice, measure: measures.Measure) -> measures.Measure:
    return lambda counts: measure(counts[:, items])
