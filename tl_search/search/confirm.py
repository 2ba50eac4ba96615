"""Confirmation: the finalists, measured on data that chose nothing, with paired intervals.

The winner was chosen because its selection scores were high, so those are too high (the winner's curse). Here every
finalist gets a score on the confirmation split and bootstrap replicates of it; replicate i resamples the same items
for every arm, so the replicates of a difference give its interval (Efron and Tibshirani, 1993, ch. 13).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.costs import CostTable, Spending
from tl_search.plane.pull import Score, TaskSpec
from tl_search.search.column import Workshop

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Confirm:
    """How the finalists are measured.

    Args:
        resamples: Bootstrap resamples, >= 100.
        confidence: Of every interval, in (0, 1).
        controls: Whether token embeddings (layer 0) and random weights (step 0) are measured beside the finalists.
        seed: Of the resampling.
    """

    resamples: int = 1000
    confidence: float = 0.95
    controls: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 100:
            raise ValueError(f"resamples: must be >= 100, got {self.resamples}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence: must be between 0 and 1, got {self.confidence}")


@dataclass(frozen=True)
class Finalists:
    """What is confirmed.

    Args:
        best: The arm that the search names.
        final_last: Last layer of the final checkpoint: what people use.
        final_best: The final checkpoint's best layer by selection.
        trained: By task: the best trained arm (step > 0, layer >= 1) by selection.
        controls: Arms that owe nothing to trained layers: token embeddings, random weights.
    """

    best: Arm
    final_last: Arm
    final_best: Arm
    trained: Mapping[str, Arm]
    controls: tuple[Arm, ...]


@dataclass
class Confirmation:
    """Confirmed cells of the finalists, in points.

    Args:
        workshop: Scores on the confirmation split.
        tasks: The suite on its confirmation split.
        weights: Of the objective.
        settings: Resamples, confidence, seed.
        costs: Of the confirmation split.
    """

    workshop: Workshop
    tasks: tuple[TaskSpec, ...]
    weights: Mapping[str, float]
    settings: Confirm
    costs: CostTable

    def __post_init__(self) -> None:
        self.cells: dict[tuple[str, str], tuple[float, np.ndarray]] = {}
        self.used: list[Score] = []
        self.spending = Spending(self.costs)

    def measure(self, finalists: Finalists) -> None:
        """Score every cell that the verdicts need, column by column."""
        wanted: dict[tuple[Arm, str], None] = {}
        whole = (finalists.best, finalists.final_last, finalists.final_best, *finalists.controls)
        for arm in whole:
            wanted.update({(arm, task.name): None for task in self.tasks})
        wanted.update({(arm, name): None for name, arm in finalists.trained.items()})
        order = {revision.name: number for number, revision in enumerate(self.workshop.plane.revisions)}
        specs = {task.name: task for task in self.tasks}
        ordered = sorted(wanted, key=lambda cell: (order[cell[0].revision.name], list(specs).index(cell[1])))
        for number, (arm, name) in enumerate(ordered, 1):
            self._confirm(arm, specs[name])
            log.info("confirmed %d of %d: %s on %s", number, len(ordered), arm.label, name)

    def _confirm(self, arm: Arm, task: TaskSpec) -> None:
        from tl_search.scoring.resample import confirm_cell

        ledger, settings = self.workshop.ledger, self.settings
        score = ledger.get(arm, task)
        replicates = ledger.get_replicates(arm, task, settings.resamples, settings.seed)
        if score is None or replicates is None:
            vectors, _ = self.workshop.vectors(arm, task)
            score, replicates = confirm_cell(arm, task, vectors, settings.resamples, settings.seed)
            ledger.put(score)
            ledger.put_replicates(arm, task, replicates, settings.seed)
        self.spending.pay(arm, [task.name])
        self.used.append(score)
        self.cells[arm.key, task.name] = (100 * score.value, 100 * replicates)

    def task_points(self, arm: Arm) -> dict[str, float]:
        return {task.name: round(self.cells[arm.key, task.name][0], 4) for task in self.tasks}

    def objective(self, arm: Arm) -> tuple[float, np.ndarray]:
        """The arm's objective and its replicates, in points."""
        parts = [(self.weights[task.name], *self.cells[arm.key, task.name]) for task in self.tasks]
        return sum(w * value for w, value, _ in parts), np.sum([w * copies for w, _, copies in parts], axis=0)

    def interval(self, replicates: np.ndarray, comparisons: int = 1) -> list[float]:
        """Percentile interval; with several comparisons at once each gets its share of the error (Bonferroni)."""
        tail = (1 - self.settings.confidence) / 2 / comparisons
        return [round(float(bound), 4) for bound in np.quantile(replicates, [tail, 1 - tail])]

    def describe(self, arm: Arm) -> dict[str, Any]:
        value, replicates = self.objective(arm)
        return {
            "objective": round(value, 4),
            "interval": self.interval(replicates),
            "tasks": self.task_points(arm),
        }

    def gain(self, arm: Arm, over: Arm) -> dict[str, Any]:
        """How much better `arm` is than `over`, paired."""
        (high, high_copies), (low, low_copies) = self.objective(arm), self.objective(over)
        bounds = self.interval(high_copies - low_copies)
        return {"gain": round(high - low, 4), "interval": bounds, "significant": bounds[0] > 0 or bounds[1] < 0}

    def verdicts(self, finalists: Finalists) -> list[dict[str, Any]]:
        """For every task: does a trained layer beat *every* control, or some control the trained layer?

        One winner among many controls is found by chance unless each is asked more strictly, so the intervals here
        hold for all controls of a task at once (Bonferroni).
        """
        rows = []
        for task in self.tasks:
            trained = finalists.trained.get(task.name)
            if trained is None or not finalists.controls:
                continue
            value, copies = self.cells[trained.key, task.name]
            controls = {arm: self.cells[arm.key, task.name] for arm in finalists.controls}
            bounds = {arm: self.interval(copies - other, len(controls)) for arm, (_, other) in controls.items()}
            strongest = max(controls, key=lambda arm: controls[arm][0])
            verdict = "no difference"
            if all(low > 0 for low, _ in bounds.values()):
                verdict = "trained"
            elif any(high < 0 for _, high in bounds.values()):
                verdict = "control"
            rows.append(
                {
                    "task": task.name,
                    "trained": {"arm": _place(trained), "confirmation": round(value, 4)},
                    "control": {"arm": _place(strongest), "confirmation": round(controls[strongest][0], 4)},
                    "controls": len(controls),
                    "gain": round(value - controls[strongest][0], 4),
                    "interval": bounds[strongest],
                    "verdict": verdict,
                }
            )
        return rows


def _place(arm: Arm) -> list[str | int]:
    return [arm.revision.name, arm.layer]
