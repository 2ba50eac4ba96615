"""Confirmation: scores the finalists on data that were not used to choose them, with paired confidence intervals.

The winner was chosen because its selection scores were high, so those are too high (the winner's curse). Here every
finalist gets a score on the confirmation split and replicates of it; replicate i draws the same items and training rows
for every arm, so the replicates of a difference give its interval (Efron and Tibshirani, 1993, ch. 13).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from scipy.stats import norm

from tl_search.errors.limits import between
from tl_search.errors.secrets import redact
from tl_search.plane.arm import Arm
from tl_search.plane.costs import CostTable, Spending
from tl_search.plane.pull import Score, TaskSpec
from tl_search.runs.outcome import Chance, Confirmed, Gain, Interval, Side, TaskOutcome
from tl_search.search.chance import chance_scores
from tl_search.search.column import Cell, ColumnJob, LocalWorker
from tl_search.search.finalists import Finalists

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Confirm:
    """How the finalists are measured.

    Args:
        resamples: Bootstrap resamples, >= 100.
        confidence: Confidence level of every interval, in (0, 1).
        controls: Whether token embeddings (layer 0) and random weights (step 0) are measured beside the finalists.
        seed: Random seed of the bootstrap.
    """

    resamples: int = 1000
    confidence: float = 0.95
    controls: bool = True
    seed: int = 0

    DECIDES: ClassVar = {"files": "resamples confidence controls seed"}

    def __post_init__(self) -> None:
        between(100, 10**6, resamples=self.resamples)
        between(0, 2**32 - 1, seed=self.seed)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence: must be between 0 and 1, got {self.confidence}")


@dataclass
class Confirmation:
    """Confirmed cells of the finalists, in points.

    Args:
        worker: Scores on the confirmation split.
        tasks: The suite on its confirmation split.
        weights: Weight of each task in the objective.
        settings: Resamples, confidence, seed.
        costs: The cost table of the confirmation split.
    """

    worker: LocalWorker
    tasks: tuple[TaskSpec, ...]
    weights: Mapping[str, float]
    settings: Confirm
    costs: CostTable

    def __post_init__(self) -> None:
        self.cells: dict[tuple[str, str], tuple[float, np.ndarray]] = {}
        self.chance: Mapping[str, Chance] = {}
        self.failures: dict[tuple[Arm, str], str] = {}
        self.used: list[Score] = []
        self._shared: dict[str, float] = dict(self.weights)
        self.spending = Spending(self.costs)

    def measure(self, finalists: Finalists) -> None:
        """Score every cell that the report needs, column by column.

        A task that fails for one of the compared arms is left out for all of them.

        Raises:
            ValueError: no task is left on which all of them could be scored.
        """
        compared = finalists.compared
        specs = {task.name: task for task in self.tasks}
        wanted = {(arm, name): None for arm in (*compared, *finalists.controls) for name in specs}
        wanted |= {(arm, name): None for name, arm in finalists.trained.items()}
        order = {revision.name: number for number, revision in enumerate(self.worker.plane.revisions)}
        ordered = sorted(wanted, key=lambda cell: (order[cell[0].revision.name], list(specs).index(cell[1])))
        self._confirm([(arm, specs[name]) for arm, name in ordered])
        kept = {name: self.weights[name] for name in specs if all((arm.key, name) in self.cells for arm in compared)}
        if not kept:
            (arm, name), reason = next(iter(self.failures.items()))
            raise ValueError(f"confirmation: no task could be scored on all finalists ({arm.label}, {name}: {reason})")
        self._shared = {name: weight / sum(kept.values()) for name, weight in kept.items()}
        if finalists.controls:
            self.chance = chance_scores(self.tasks, self.worker.suite.texts, self.worker.ledger, self.worker.scorers)

    def _confirm(self, cells: Sequence[tuple[Arm, TaskSpec]]) -> None:
        """Score these cells, which are in the order of their columns; those in the ledger are only read."""
        from tl_search.scoring.uncertainty.resample import confirm_cell

        following = {arm.revision: later for (arm, _), (later, _) in pairwise(cells)}  # the last pair of each decides
        found = {cell: known for cell in cells if (known := self._known(*cell))}
        failures: dict[tuple[Arm, TaskSpec], str] = {}
        fresh = [cell for cell in cells if cell not in found]
        prepared = [partial(self._arguments, *cell, following.get(cell[0].revision)) for cell in fresh]
        for number, scored in self.worker.scorers.each(confirm_cell, prepared):
            arm, task = fresh[number]
            count = (len(found) + len(failures) + 1, len(cells))
            if isinstance(scored, ValueError):
                failures[arm, task] = redact(str(scored))
                log.warning("%d of %d: %s on %s failed: %s", *count, arm.label, task.name, scored)
                continue
            score, replicates = scored
            found[arm, task] = self.worker.ledger.put(score), replicates
            self.worker.ledger.put_replicates(arm, task, replicates, self.settings.seed)
            log.info("confirmed %d of %d: %s on %s", *count, arm.label, task.name)
        for arm, task in cells:  # what is written must not depend on which was scored first
            self.spending.pay(arm, [task.name])
            if (arm, task) in found:
                score, replicates = found[arm, task]
                self.used.append(score)
                self.cells[arm.key, task.name] = (100 * score.value, 100 * replicates)
            else:
                self.failures[arm, task.name] = failures[arm, task]

    def _known(self, arm: Arm, task: TaskSpec) -> tuple[Score, np.ndarray] | None:
        """What the ledger has of a cell, if that is all."""
        settings, ledger = self.settings, self.worker.ledger
        score = ledger.get(arm, task)
        replicates = ledger.get_replicates(arm, task, settings.resamples, settings.seed)
        return None if score is None or replicates is None else (score, replicates)

    def _arguments(self, arm: Arm, task: TaskSpec, later: Arm | None) -> tuple[Any, ...]:
        """Of `confirm_cell`; the column that comes later is fetched in the meantime."""
        if later is not None:
            self.worker.expect(ColumnJob(later.revision, tuple(Cell.of(later, task) for task in self.tasks)))
        return arm, task, self.worker.vectors(arm, task), self.settings.resamples, self.settings.seed

    @property
    def left_out(self) -> list[str]:
        """Tasks of the objective that failed for one of the arms that are compared as a whole."""
        return [task.name for task in self.tasks if task.name not in self._shared]

    def objective(self, arm: Arm) -> tuple[float, np.ndarray]:
        """The arm's objective and its replicates, in points, over the tasks that are not left out."""
        parts = [(weight, *self.cells[arm.key, name]) for name, weight in self._shared.items()]
        return sum(w * value for w, value, _ in parts), np.sum([w * copies for w, _, copies in parts], axis=0)

    def interval(self, replicates: np.ndarray, comparisons: int = 1) -> Interval:
        """Percentile interval; with several comparisons at once each gets its share of the error (Bonferroni).

        A tail that not one resample falls into cannot be read from them: there a normal tail of their mean and sd
        counts where it is wider.
        """
        tail = (1 - self.settings.confidence) / 2 / comparisons
        low, high = np.quantile(replicates, [tail, 1 - tail])
        if tail * len(replicates) < 1:
            reach = norm.isf(tail) * replicates.std()
            low, high = min(low, replicates.mean() - reach), max(high, replicates.mean() + reach)
        return Interval(round(float(low), 4), round(float(high), 4))

    def confirmed(self, arm: Arm) -> Confirmed:
        """The arm's objective with its interval, and its score on every task, in points."""
        value, replicates = self.objective(arm)
        cells = {name: self.cells[arm.key, name] for name in self._shared}
        tasks = {name: round(score, 4) for name, (score, _) in cells.items()}
        errors = {name: _error(copies) for name, (_, copies) in cells.items()}
        return Confirmed(round(value, 4), self.interval(replicates), tasks, _error(replicates), errors)

    def gain(self, arm: Arm, over: Arm) -> Gain:
        """How much better `arm` is than `over`, paired."""
        (high, high_copies), (low, low_copies) = self.objective(arm), self.objective(over)
        copies = high_copies - low_copies
        bounds = self.interval(copies)
        return Gain(round(high - low, 4), bounds, not bounds.holds_zero, _error(copies))

    def verdicts(self, finalists: Finalists) -> tuple[TaskOutcome, ...]:
        """For every task: does a trained layer beat *every* control, or some control the trained layer?

        One winner among many controls is found by chance unless each is asked more strictly, so the intervals here
        hold for all controls of a task at once (Bonferroni). The control shown is the strongest of those that decide,
        so that a row's interval says what its verdict says.
        """
        rows = []
        for task in self.tasks:
            trained = finalists.trained.get(task.name)
            found = {arm: self.cells.get((arm.key, task.name)) for arm in finalists.controls}
            controls = {arm: cell for arm, cell in found.items() if cell is not None}
            if trained is None or (trained.key, task.name) not in self.cells or not controls:
                continue
            value, copies = self.cells[trained.key, task.name]
            bounds = {arm: self.interval(copies - other, len(controls)) for arm, (_, other) in controls.items()}
            better = [arm for arm, (_, high) in bounds.items() if high < 0]
            alike = [arm for arm, (low, high) in bounds.items() if low <= 0 <= high]
            verdict = "control" if better else "no difference" if alike else "trained"
            strongest = max(better or alike or controls, key=lambda arm: controls[arm][0])
            rows.append(
                TaskOutcome(
                    task=task.name,
                    trained=Side(trained.name, round(value, 4), _error(copies)),
                    control=Side(strongest.name, round(controls[strongest][0], 4), _error(controls[strongest][1])),
                    controls=len(controls),
                    gain=round(value - controls[strongest][0], 4),
                    interval=bounds[strongest],
                    verdict=verdict,
                    standard_error=_error(copies - controls[strongest][1]),
                    chance=self.chance.get(task.name),
                )
            )
        return tuple(rows)


def _error(replicates: np.ndarray) -> float:
    from tl_search.scoring.uncertainty.resample import standard_error

    return round(standard_error(replicates), 4)
