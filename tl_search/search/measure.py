"""Label-free metrics of the plane's columns, one file per arm in the run's folder.

Every arm is measured on the same texts, a seeded draw from the tasks' training splits; the data that choose an arm, and
those that it is reported on, are not used. A file lists everything that its values depend on. A column is measured
again only if one of its files is missing or lists something else.
"""

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.errors.secrets import redact
from tl_search.plane.arm import Plane
from tl_search.plane.revision import Revision
from tl_search.probe.embed import layer_name
from tl_search.probe.measuring.config import MetricsConfig
from tl_search.runs.measured import MeasuredLayer
from tl_search.search.prefetch import Prefetch
from tl_search.store.atomic import write_json
from tl_search.store.keys import safe_name, texts_digest
from tl_search.store.typed_json import read_record, write_record

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

log = logging.getLogger(__name__)

# Increased when the code changes so that the same settings give other values.
RULES = 3


@dataclass(frozen=True)
class MetricTexts:
    """The texts that every arm is measured on.

    Args:
        texts: Each once, in a seeded random order, so that the first ones are a random draw too.
        counts: Task → how many of its texts were drawn.
    """

    texts: tuple[str, ...]
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """A digest of the texts and their order."""
        return texts_digest(self.texts)


def draw_texts(texts: Mapping[str, Sequence[str]], config: MetricsConfig) -> MetricTexts:
    """At most `corpus_max_examples_per_task` texts of each task; a text of several tasks is drawn once.

    A task's draw depends on its own texts and the seed, not on the other tasks.

    Raises:
        ValueError: no task has a text that is not blank.
    """
    drawn, counts = draw(texts, config.corpus_max_examples_per_task, config.seed)
    if not drawn:
        raise ValueError(without_texts(texts))
    return MetricTexts(drawn, counts, tuple(task for task in texts if task not in counts))


def without_texts(tasks: Iterable[str]) -> str:
    """The error message where no task has a text to measure on."""
    return (
        f"tasks: metrics are measured on texts of training splits, and none of {', '.join(tasks)} has one; "
        "add a task that has one (any classification task) or set metrics=none"
    )


def draw(texts: Mapping[str, Sequence[str]], most: int | None, seed: int) -> tuple[tuple[str, ...], dict[str, int]]:
    """At most so many texts of each task that are not blank, each once, in a random order; and how many of each task.

    A task's draw depends on its own texts and the seed, not on the other tasks.
    """
    drawn: dict[str, None] = {}
    counts = {}
    for task, given in texts.items():
        usable = [text for text in dict.fromkeys(given) if text.strip()]
        if not usable:
            continue
        counts[task] = min(len(usable), most or len(usable))
        drawn.update(dict.fromkeys(random.Random(f"{seed}/{task}").sample(usable, counts[task])))
    order = list(drawn)
    random.Random(f"{seed}/order").shuffle(order)
    return tuple(order), counts


@dataclass(frozen=True)
class ColumnMeasurements:
    """Measures columns of a plane into a folder.

    Args:
        plane: The plane whose columns are measured.
        drawn: What they are measured on.
        config: What is measured.
        session: Where the pass runs.
        prefetch: Where the folders of revisions come from.
        folder: `cache/metrics` of a run.
    """

    plane: Plane
    drawn: MetricTexts
    config: MetricsConfig
    session: "ProbeSession"
    prefetch: Prefetch
    folder: Path

    def measure(self, revisions: Iterable[Revision]) -> dict[str, str]:
        """Measure the columns that lack a valid file; the next revision is fetched while one is measured.

        Returns:
            Revision's name → why it could not be measured; all others are measured.

        Raises:
            OSError: weights cannot be fetched now, or a file cannot be written.
        """
        drawn, config = self.drawn, self.config
        about = {
            "hash": drawn.hash,
            "split": "train",
            "max_examples_per_task": config.corpus_max_examples_per_task,
            "seed": config.seed,
            "tasks": drawn.counts,
            "left_out": drawn.left_out,
            "texts": drawn.texts,
        }
        write_json(self.folder / "corpus.json", about)
        missing = [revision for revision in revisions if not self.whole(revision)]
        reasons = {}
        for revision, following in pairwise([*missing, None]):
            assert revision is not None
            try:
                self._measure(revision, following)
            except (ValueError, RuntimeError, MemoryError) as error:
                reasons[revision.name] = why_not(error)
                log.warning("%s cannot be measured: %s", revision.name, reasons[revision.name])
        return reasons

    def path(self, revision: Revision, layer: int) -> Path:
        """The path of a layer's file: `<model>/<revision>/layer_000.json`, with names that every file system allows."""
        return self.folder / safe_name(self.plane.model) / safe_name(revision.name) / f"{layer_name(layer)}.json"

    def whole(self, revision: Revision) -> bool:
        """Whether every layer has a file, of these weights, texts and settings."""
        return all(self._is_whole(revision, layer) for layer in self.plane.layers)

    def _measure(self, revision: Revision, following: Revision | None) -> None:
        from tl_search.probe.measuring.column import measure_column

        log.info("%s: measuring %d texts at every layer", revision.name, len(self.drawn.texts))
        folder = self.prefetch.folder(revision)
        if following is not None:  # only now: before, this one might still be on its way
            self.prefetch.expect(following)
        texts, extraction = self.drawn.texts, self.plane.extraction
        layers, dtype = measure_column(revision, folder, texts, extraction, self.session, self.config)
        for layer, metrics in enumerate(layers):
            measured = replace(self._about(revision, layer), dtype=dtype.value, metrics=metrics)
            write_record(self.path(revision, layer), measured)

    def read(self, revision: Revision, layer: int) -> MeasuredLayer:
        """What a layer's file holds. Raises ValueError when it is absent or damaged."""
        return read_record(MeasuredLayer, self.path(revision, layer))

    def _about(self, revision: Revision, layer: int) -> MeasuredLayer:
        """A layer's file without the values and the dtype of the pass; the dtype asked for is in the extraction."""
        return MeasuredLayer(
            model=self.plane.model,
            revision=revision.name,
            step=revision.step,
            layer=layer,
            weights=revision.weights,
            tokenizer=revision.tokenizer,
            extraction=self.plane.extraction.identity(),
            corpus=self.drawn.hash,
            options=self.config.identity(),
            rules=RULES,
            metrics={},
        )

    def _is_whole(self, revision: Revision, layer: int) -> bool:
        try:
            kept = self.read(revision, layer)
        except ValueError:  # it is written again
            return False
        same = replace(kept, dtype="", metrics={}) == self._about(revision, layer)
        return same and kept.metrics.keys() == set(self.config.measures)


def why_not(error: Exception) -> str:
    """In one line, why these weights and texts cannot be measured. Raises an error that they have not caused."""
    if not _of_this_column(error):
        raise error
    return redact(" ".join(str(error).split())) or "out of memory"


def _of_this_column(error: BaseException) -> bool:
    """Whether these weights and texts caused the error, rather than a bug or the machine."""
    from torch.linalg import LinAlgError

    from tl_search.probe.memory import is_full

    return isinstance(error, ValueError | LinAlgError) or is_full(error)
