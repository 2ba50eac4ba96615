"""Metrics without labels of the plane's columns, one file per arm in the run's folder.

Every arm is measured on the same texts: a seeded draw from the tasks' training splits, so that what chooses an arm and
what reports on it stay unseen. A file names everything that its values depend on; a column whose files all say the same
is not measured again.
"""

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search.plane.arm import Plane
from tl_search.plane.revision import Revision
from tl_search.probe.embed import layer_name
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.search.prefetch import Weights
from tl_search.store.atomic import read_json, write_json
from tl_search.store.keys import digest, safe_name, text_digest

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

log = logging.getLogger(__name__)

# Raised when the same settings come to give other values.
RULES = 2


@dataclass(frozen=True)
class Corpus:
    """The texts that every arm is measured on.

    Args:
        texts: Each once, in a seeded order, so that the first so many are a draw themselves.
        counts: By task: how many of its texts were drawn.
        left_out: The tasks that have no training text.
    """

    texts: tuple[str, ...]
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        return digest([text_digest(text) for text in self.texts], 32)


def draw_corpus(texts: Mapping[str, Sequence[str]], config: MetricsConfig) -> Corpus:
    """At most `corpus_max_examples_per_task` texts of each task; a text of several tasks is drawn once.

    A task's draw depends on its own texts and the seed, not on which other tasks there are.

    Args:
        texts: By task: those of its training split, as `Suite.corpus_texts` has them.
        config: How many, and the seed.

    Raises:
        ValueError: no task has a text that is not blank.
    """
    drawn: dict[str, None] = {}
    counts = {}
    for task, given in texts.items():
        usable = [text for text in dict.fromkeys(given) if text.strip()]
        if not usable:
            continue
        count = min(len(usable), config.corpus_max_examples_per_task or len(usable))
        chosen = random.Random(f"{config.seed}/{task}").sample(usable, count)
        drawn.update(dict.fromkeys(chosen))
        counts[task] = count
    if not drawn:
        raise ValueError(
            f"tasks: metrics are measured on texts of training splits, and none of {', '.join(texts)} has one; "
            "add a task that has (any classification task) or set metrics=none"
        )
    order = list(drawn)
    random.Random(f"{config.seed}/order").shuffle(order)
    return Corpus(tuple(order), counts, tuple(task for task in texts if task not in counts))


@dataclass(frozen=True)
class ColumnMeasurements:
    """Measures columns of a plane into a folder.

    Args:
        plane: Whose columns.
        corpus: What they are measured on.
        config: What is measured.
        session: Where the pass runs.
        weights: Where revisions come from.
        folder: `cache/metrics` of a run.
    """

    plane: Plane
    corpus: Corpus
    config: MetricsConfig
    session: "ProbeSession"
    weights: Weights
    folder: Path

    def measure(self, revisions: Iterable[Revision]) -> dict[str, str]:
        """Measure the columns whose files are not whole; the next revision is fetched while one is measured.

        A model that the probe has kept of a revision is used again, so the best time is right after its embedding.

        Returns:
            Why a revision could not be measured, by its name; the others are.

        Raises:
            OSError: weights cannot be had now, or a file cannot be written.
        """
        write_json(self.folder / "corpus.json", self._about_corpus())
        missing = [revision for revision in revisions if not self.whole(revision)]
        reasons = {}
        for revision, following in pairwise([*missing, None]):
            assert revision is not None
            try:
                self._measure(revision, following)
            except (ValueError, RuntimeError, MemoryError) as error:
                if not _of_this_column(error):
                    raise
                reasons[revision.name] = " ".join(str(error).split()) or "out of memory"
                log.warning("%s cannot be measured: %s", revision.name, reasons[revision.name])
        return reasons

    def path(self, revision: Revision, layer: int) -> Path:
        """`<model>/<revision>/layer_000.json`, each name made safe."""
        return self.folder / safe_name(self.plane.model) / safe_name(revision.name) / f"{layer_name(layer)}.json"

    def whole(self, revision: Revision) -> bool:
        """Whether every layer's file is there and of these weights, texts and settings."""
        return all(self._is_of(self.path(revision, layer), self._about(revision, layer)) for layer in self.plane.layers)

    def _measure(self, revision: Revision, following: Revision | None) -> None:
        from tl_search.probe.measuring.column import measure_column

        log.info("%s: measuring %d texts at every layer", revision.name, len(self.corpus.texts))
        folder = self.weights.folder(revision)
        if following is not None:  # only now: before, this one might still be on its way
            self.weights.expect(following)
        texts, extraction = self.corpus.texts, self.plane.extraction
        layers, dtype = measure_column(revision, folder, texts, extraction, self.session, self.config)
        for layer, metrics in enumerate(layers):
            about = self._about(revision, layer)
            write_json(self.path(revision, layer), {**about, "dtype": dtype.value, "metrics": metrics})

    def _about(self, revision: Revision, layer: int) -> dict[str, Any]:
        """All that a file says beside its values."""
        return {
            "model": self.plane.model,
            "revision": revision.name,
            "step": revision.step,
            "layer": layer,
            "weights": revision.weights,
            "tokenizer": revision.tokenizer,
            "extraction": self.plane.extraction.identity(),
            "corpus": self.corpus.hash,
            "options": self.config.identity(),
            "rules": RULES,
        }

    def _about_corpus(self) -> dict[str, Any]:
        corpus, config = self.corpus, self.config
        return {
            "hash": corpus.hash,
            "split": "train",
            "max_examples_per_task": config.corpus_max_examples_per_task,
            "seed": config.seed,
            "tasks": dict(corpus.counts),
            "left_out": list(corpus.left_out),
            "texts": list(corpus.texts),
        }

    def _is_of(self, path: Path, about: Mapping[str, Any]) -> bool:
        try:
            kept = read_json(path)
            kept.pop("dtype")  # what it came to; which was asked for is in the extraction
            return set(kept.pop("metrics")) == set(self.config.measures) and kept == about
        except (FileNotFoundError, KeyError, TypeError, AttributeError, ValueError):
            return False  # absent, or damaged and written anew


def _of_this_column(error: BaseException) -> bool:
    """Whether it speaks of these weights and texts, and not of a bug or of the machine as such."""
    from torch.linalg import LinAlgError

    from tl_search.probe.memory import is_full

    return isinstance(error, ValueError | LinAlgError) or is_full(error)
