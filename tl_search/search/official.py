"""The finalists' scores on whole official splits, as others report them, where arms were chosen on a half of one.

They are computed once, after confirmation, from vectors that selection and confirmation have on disk. They are no
evidence that one arm is better than another: half of the items chose the arm.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from tl_search.errors.secrets import redact
from tl_search.plane.arm import Arm
from tl_search.plane.pull import Score, TaskSpec
from tl_search.runs.outcome import Outcome, Selected
from tl_search.scoring.parts.splits import parted
from tl_search.search.column import LocalWorker
from tl_search.search.confirm import Confirmation
from tl_search.search.finalists import Finalists
from tl_search.search.texts import SuiteTexts
from tl_search.store.keys import text_digest

log = logging.getLogger(__name__)


@dataclass
class Official:
    """Scores on whole splits.

    Args:
        selection: Scores on the selection split; it has vectors of the first half.
        confirmation: Its worker has vectors of the second half.
        texts: Where lists of texts are kept.

    Attributes:
        used: The scores that were added, for the run's own files.
    """

    selection: LocalWorker
    confirmation: Confirmation
    texts: Path
    used: list[Score] = field(default_factory=list)

    def added(self, outcome: Outcome, finalists: Finalists) -> Outcome:
        """The outcome with the official scores of its finalists; as it is where no split was halved."""
        tasks = {task.name: task for task in self.confirmation.tasks if task.name not in self.confirmation.left_out}
        if not any(_halved(task) for task in tasks.values()):
            return outcome
        named = ("best", "final_last", "final_best", "same_readout", "as_raw")
        arms = {name: arm for name in named if (arm := getattr(finalists, name)) is not None}
        whole = self._whole([(arm, task) for arm in dict.fromkeys(arms.values()) for task in tasks.values()])
        found = {arm: self._points(arm, tasks, whole) for arm in dict.fromkeys(arms.values())}
        parts = {name: replace(getattr(outcome, name), official=found[arm]) for name, arm in arms.items()}
        return replace(outcome, **parts)

    def _points(self, arm: Arm, tasks: Mapping[str, TaskSpec], whole: Mapping[tuple[Arm, str], float]) -> Selected:
        confirmed = self.confirmation.confirmed(arm).tasks
        found = {name: whole.get((arm, name)) if _halved(task) else confirmed[name] for name, task in tasks.items()}
        points = {name: value for name, value in found.items() if value is not None}
        weights = {name: self.confirmation.weights[name] for name in tasks}
        objective = sum(weights[name] * value for name, value in points.items()) / sum(weights.values())
        return Selected(round(objective, 4) if points.keys() == tasks.keys() else None, points)

    def _whole(self, cells: Sequence[tuple[Arm, TaskSpec]]) -> dict[tuple[Arm, str], float]:
        """Points on whole splits of the tasks that are confirmed on halves; those that fail are only told."""
        from tl_search.scoring.evaluation import score_cell

        ledger = self.selection.ledger
        halved = [(arm, task) for arm, task in cells if _halved(task)]
        scores = {(arm, task.name): ledger.get(arm, _whole_split(task)) for arm, task in halved}
        fresh = [(arm, task) for arm, task in halved if scores[arm, task.name] is None]
        for number, found in self.selection.scorers.each(score_cell, [partial(self._arguments, *one) for one in fresh]):
            arm, task = fresh[number]
            if isinstance(found, ValueError):
                log.warning("%s on the whole of %s failed: %s", arm.label, task.name, redact(str(found)))
            else:
                scores[arm, task.name] = ledger.put(found)
        self.used += [score for score in scores.values() if score is not None]
        return {cell: round(100 * score.value, 4) for cell, score in scores.items() if score is not None}

    def _arguments(self, arm: Arm, task: TaskSpec) -> tuple[Arm, TaskSpec, Mapping[str, np.ndarray]]:
        """Of `score_cell`, for the whole split."""
        from tl_search.scoring.texts import texts_of

        whole = _whole_split(task)
        first = next(one for one in self.selection.suite.tasks if one.name == task.name)
        vectors = {**self.selection.vectors(arm, first), **self.confirmation.worker.vectors(arm, task)}
        lacking = tuple(text for text in texts_of(whole, self.texts) if text_digest(text) not in vectors)
        if lacking:  # such as clustering tasks that draw some of the texts at hand
            vectors |= self.selection.on(SuiteTexts((whole,), {whole.name: lacking})).vectors(arm, whole)
        return arm, whole, vectors


def _whole_split(task: TaskSpec) -> TaskSpec:
    return replace(task, split=parted(task.split)[0])


def _halved(task: TaskSpec) -> bool:
    return parted(task.split)[1] is not None
