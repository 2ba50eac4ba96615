"""Measures a cost table on this machine: how long it takes to open a column, to embed texts, and to score a cell."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tl_search.checkpoints.source import CheckpointSource
from tl_search.errors.stopping import check
from tl_search.plane.arm import Arm
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.extraction import Extraction
from tl_search.plane.pull import TaskSpec
from tl_search.plane.revision import Revision
from tl_search.probe.config import settled
from tl_search.probe.embed import column_vectors
from tl_search.scoring.suites import Suite
from tl_search.scoring.text_vectors import TextVectors
from tl_search.store.keys import text_digest

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

DIGITS = 3  # of a measured number: no machine repeats itself more exactly


@dataclass(frozen=True)
class Calibration:
    """A measured cost table, and what it rests on.

    Args:
        costs: The table. What was not measured is as in the table that it began with.
        model: The model whose columns were opened and embedded.
        parameters: Their number, without the language-model head.
        texts: How many texts were embedded.
        tasks: Type → the tasks of this type whose cells were scored.
        opened: Whether opening a column was measured; a model with one revision has no other to change to.
    """

    costs: AnalyticCosts
    model: str
    parameters: int
    texts: int
    tasks: Mapping[str, tuple[str, ...]]
    opened: bool


def calibrate(
    source: CheckpointSource,
    extraction: Extraction,
    suite: Suite,
    start: AnalyticCosts,
    per_type: int | None,
    session: "ProbeSession",
    ledger: Path,
    tell: Callable[[str], None],
) -> Calibration:
    """Open a column of the model, embed the texts of some tasks at every layer, and score three layers on each.

    Args:
        source: Its last revision is measured.
        start: Gives what cannot be measured here.
        per_type: Number of tasks of each type, those with the fewest texts first; None = all.
        ledger: Where the texts of tasks are kept, below `texts`.
        tell: Is told in a line what is measured next.

    Raises:
        ValueError: as from a search of these checkpoints and tasks.
    """
    revisions, shape = source.revisions(), source.shape()
    extraction = settled(extraction, session.config.accelerator)
    chosen = _fewest_texts(suite.selection(), suite, ledger / "texts", per_type)
    tell(f"{source.model}: opening its last column")
    opened = _seconds_to_open(source, revisions, extraction, session)
    folder, passed = source.fetch(revisions[-1]), _Pass(source.model, revisions[-1], extraction, session)
    scored: dict[str, list[_Scored]] = defaultdict(list)
    for task, texts in chosen:
        check()
        tell(f"{task.name}: embedding {len(texts):,} texts at every layer, and scoring three layers")
        column = passed.column(folder, texts)
        scored[task.type].append(_Scored(task.name, len(texts), _seconds_to_score(task, texts, column, passed)))
    per_text = {
        kind: sum(one.seconds for one in found) / sum(one.texts for one in found) for kind, found in scored.items()
    }
    costs = replace(
        start,
        flops=_rounded(2 * shape.parameters * passed.tokens / passed.seconds),
        characters_per_token=_rounded(passed.characters / passed.tokens),
        score={**start.score, **{kind: _rounded(seconds) for kind, seconds in per_text.items()}},
    )
    if opened is not None:
        constant = min(start.open, opened)  # one model does not tell what of it grows with the model
        rest = opened - constant
        read = _rounded(4 * shape.parameters / rest) if rest > 0 else start.read
        costs = replace(costs, open=_rounded(constant), read=read)
    names = {kind: tuple(one.task for one in found) for kind, found in scored.items()}
    return Calibration(costs, source.model, shape.parameters, passed.texts, names, opened is not None)


@dataclass(frozen=True)
class _Scored:
    """What scoring one cell of a task took, in the mean of some layers."""

    task: str
    texts: int
    seconds: float


@dataclass
class _Pass:
    """Passes over texts so far, without the time to load the model and to make tokens: a search does that once."""

    model: str
    revision: Revision
    extraction: Extraction
    session: "ProbeSession"
    seconds: float = 0.0
    texts: int = 0
    tokens: int = 0
    characters: int = 0

    def column(self, folder: Path, texts: Sequence[str]) -> np.ndarray:
        """The vectors (layer, text, width) of the revision."""
        probe = self.session.models.probe(self.revision, folder, self.extraction)
        tokens = self.session.tokens.tokens(self.revision, folder, texts, self.extraction, probe.position_limit)
        if not self.texts:  # what is made at the first pass is not made again
            column_vectors(self.revision, folder, texts[:8], self.extraction, self.session)
        started = time.perf_counter()
        column = column_vectors(self.revision, folder, texts, self.extraction, self.session)
        self.seconds += time.perf_counter() - started
        self.texts += len(texts)
        self.tokens += int(tokens.lengths.sum())
        self.characters += sum(map(len, texts))
        return column


def _fewest_texts(
    tasks: Sequence[TaskSpec], suite: Suite, folder: Path, per_type: int | None
) -> list[tuple[TaskSpec, tuple[str, ...]]]:
    """The tasks of each type that have the fewest texts, in the suite's order of types."""
    texts, by_type = suite.texts(tuple(tasks), folder), defaultdict[str, list[TaskSpec]](list)
    for task in sorted(tasks, key=lambda task: len(texts[task.name])):
        by_type[task.type].append(task)
    kinds = dict.fromkeys(task.type for task in tasks)
    return [(task, texts[task.name]) for kind in kinds for task in by_type[kind][:per_type]]


def _seconds_to_open(
    source: CheckpointSource, revisions: Sequence[Revision], extraction: Extraction, session: "ProbeSession"
) -> float | None:
    """How long it takes to go from one column to the next; None where there is only one."""
    if len(revisions) < 2:
        return None

    def open_(revision: Revision) -> None:
        session.models.probe(revision, source.fetch(revision), extraction)

    open_(revisions[-2])
    return _seconds(lambda: open_(revisions[-1]))


def _seconds_to_score(task: TaskSpec, texts: Sequence[str], column: np.ndarray, passed: _Pass) -> float:
    """The mean over the first layer, the middle one and the last; before, one evaluation that does not count."""
    from tl_search.scoring.uncertainty.resample import estimate_cell

    places = {text_digest(text): row for row, text in enumerate(texts)}
    layers = sorted({0, len(column) // 2, len(column) - 1})

    def score(layer: int) -> None:
        arm = Arm(passed.model, passed.revision, layer, passed.extraction)
        estimate_cell(arm, task, TextVectors(places, [column[layer]]))

    score(layers[-1])
    return sum(_seconds(partial(score, layer)) for layer in layers) / len(layers)


def _seconds(job: Callable[[], None]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
