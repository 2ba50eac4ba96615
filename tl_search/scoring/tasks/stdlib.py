"""mteb tasks made from the source code of the running Python's standard library: they need no network.

Every task has two evaluated splits, `selection` and `confirmation`, from different modules of the library. A classifier
learns from `train`, which comes from a third set of modules (the part `practice`). The text that the demo's language
model is trained on contains none of these modules.

The tasks ask three kinds of question, so that different arms are good at them: what a piece of code is about (words
decide, so token embeddings do well), what kind of code it is, and whether something is out of order. The last kind
changes nothing but the order, so layer 0, whose mean of token embeddings has no order, scores at chance.
"""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskClustering, AbsTaskPairClassification, AbsTaskRetrieval
from mteb.abstasks.abstask import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tl_search.scoring.stdlib import items as items
from tl_search.scoring.stdlib.functions import digest
from tl_search.text.stdlib import library_digest, python_version

SPLITS = ("selection", "confirmation")


@cache
def revision(rules: int) -> str:
    """Python's version and a hash of the library's text and of the number of the rules that make a task of it."""
    return f"py{python_version()}-{digest(f'{rules} {library_digest()}')[:12]}"


class _Stdlib(AbsTask):
    """A task under its class's name, described by its class's docstring.

    Attributes:
        about: mteb's type, main score and category of the task.
        rules: Raised when the task is made in another way: part of the data's revision, so of every score's key.
    """

    about: ClassVar[tuple[Any, str, Any]]
    rules: ClassVar[int] = 1

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__name__.startswith("_"):
            return
        kind, main_score, category = cls.about
        cls.metadata = TaskMetadata(
            name=cls.__name__,
            description=" ".join((cls.__doc__ or "").split()),
            type=kind,
            main_score=main_score,
            category=category,
            eval_splits=list(SPLITS),
            eval_langs=["eng-Latn"],
            dataset={"path": "tl_search/stdlib", "revision": revision(cls.rules)},
        )


class _Table(_Stdlib):
    """A task whose splits are tables; `rows` makes them.

    Attributes:
        counts: Split → the number of its items, at most.
    """

    counts: ClassVar[Mapping[str, int]]

    @staticmethod
    @abstractmethod
    def rows(part: str, count: int) -> dict[str, list[Any]]:
        """At most `count` items of one part of the library, by column."""

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        """Make the dataset in memory; mteb's arguments are meant for downloads."""
        if self.data_loaded:
            return
        parts = {split: "practice" if split == "train" else split for split in self.counts}
        self.dataset = DatasetDict(
            {split: Dataset.from_dict(self.rows(part, self.counts[split])) for split, part in parts.items()}
        )
        self.data_loaded = True


class _Classification(_Table, AbsTaskClassification):
    """Ten logistic regressions, in pairs: each of a pair is fitted on one half of the rows that `train` has of a label.

    The score is their mean, and how the halves differ tells what it owes to the training rows.

    Its inputs are standardised. Pooled states of early layers lie close together, and without scaling the penalty on
    weights would lower the scores of those layers for that reason alone.
    """

    about = ("Classification", "accuracy", "t2c")
    counts: ClassVar[Mapping[str, int]] = {"train": 1000, "selection": 600, "confirmation": 1000}
    evaluator_model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    rules = 2

    def _undersample_data(
        self, dataset: Any, experiment_num: int, idxs: list[int] | None = None
    ) -> tuple[Any, list[int], list[int]]:
        """mteb's hook that draws the training rows of one experiment."""
        pair, second = divmod(experiment_num, 2)
        rows = np.random.default_rng([self.seed, pair]).permutation(len(dataset)).tolist()
        labels = list(dataset[self.label_column_name])
        half: dict[Any, int] = defaultdict(int)
        chosen = []
        for row in rows:  # every second row of a label
            if half[labels[row]] % 2 == second:
                chosen.append(row)
            half[labels[row]] += 1
        return dataset.select(chosen), rows, chosen


class StdlibDocstringRetrieval(_Stdlib, AbsTaskRetrieval):
    """From a docstring's first paragraph to the function's code without its docstring."""

    about = ("Retrieval", "ndcg_at_10", "t2t")

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        """Make queries and documents in memory; mteb's arguments are meant for downloads."""
        if self.data_loaded:
            return
        self.dataset = {"default": {split: self._split(*items.docstrings(split, 600)) for split in SPLITS}}
        self.data_loaded = True

    @staticmethod
    def _split(summaries: list[str], codes: list[str]) -> Any:
        numbers = range(len(codes))
        return {
            "corpus": Dataset.from_dict({"id": [f"d{n}" for n in numbers], "text": codes}),
            "queries": Dataset.from_dict({"id": [f"q{n}" for n in numbers], "text": summaries}),
            "relevant_docs": {f"q{n}": {f"d{n}": 1} for n in numbers},
            "top_ranked": None,
        }


class StdlibVerbClassification(_Classification):
    """The group of verbs (get, set, is, show, make, parse) that begins a function's name, from its code with the
    name removed.
    """

    rows = staticmethod(items.verbs)


class StdlibStatementClassification(_Classification):
    """The keyword (if, return, raise, for, def, class) that a line of library source began with."""

    rows = staticmethod(items.statements)


class StdlibIndentClassification(_Classification):
    """Whether the line after a few lines of library source is indented deeper, as deep or less; what ends the last line
    after its last word is cut off.
    """

    rules = 3
    rows = staticmethod(items.indents)


class _OrderProbe(_Classification):
    """A question about passages that other tasks ask something else of.

    Attributes:
        item_column: What a row is made of. Where tasks have the same items, their scores are high or low together, and
            the intervals of a mean over tasks take that into account.
    """

    item_column: ClassVar[str] = "item"


class StdlibTypoClassification(_OrderProbe):
    """Six pairs of neighbouring letters exchanged in a passage of library source, or none."""

    rows = staticmethod(items.typos)


class StdlibTokenOrderClassification(_OrderProbe):
    """Six pairs of neighbouring tokens exchanged within a passage of library source, or none."""

    rules = 3
    rows = staticmethod(items.token_order)


class StdlibLineOrderClassification(_OrderProbe):
    """The lines within a passage of library source in a random order, or as they were; the outer two lines stay."""

    rules = 3
    rows = staticmethod(items.line_order)


class StdlibPackageClustering(_Table, AbsTaskClustering):
    """Functions of the standard library, clustered by the package they come from."""

    about = ("Clustering", "v_measure", "t2c")
    counts: ClassVar[Mapping[str, int]] = {"selection": 500, "confirmation": 800}
    rows = staticmethod(items.packages)
    max_fraction_of_documents_to_embed = None  # mteb's default keeps 4 % of the texts


class StdlibHalvesPairClassification(_Table, AbsTaskPairClassification):
    """Two halves of one function, or halves of two functions of the same module."""

    about = ("PairClassification", "max_ap", "t2t")
    counts: ClassVar[Mapping[str, int]] = {"selection": 400, "confirmation": 800}
    rows = staticmethod(items.halves)
