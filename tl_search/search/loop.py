"""The loop of a search: asks the policy for a pull, scores it, and tells the policy the scores."""

import logging
from dataclasses import dataclass, field

from tl_search.bandits.policy import Policy, Problem
from tl_search.bandits.stopping import Stopping
from tl_search.plane.arm import Arm
from tl_search.plane.costs import Spending
from tl_search.plane.objective import combine
from tl_search.plane.pull import Observation, Pull, Score, TaskSpec
from tl_search.search.budget import Budget
from tl_search.search.column import Cell, ColumnJob, ColumnWorker
from tl_search.search.trajectory import Trajectory

log = logging.getLogger(__name__)
SHOWN = 3  # scores of single tasks in the line of a pull


@dataclass
class Search:
    """One search: it has the policy's pulls scored until the budget is spent, the gap is closed or nothing is left.

    Every layer of the final checkpoint is scored first: every report compares the winner with it, and it shows the
    policy how scores depend on depth. At the end, the leader is scored on the tasks that are missing. Both are scored
    whatever the budget is, and both count as spent.
    """

    problem: Problem
    policy: Policy
    worker: ColumnWorker
    tasks: tuple[TaskSpec, ...]
    budget: Budget
    stopping: Stopping
    trajectory: Trajectory
    spending: Spending = field(init=False)
    points: dict[Arm, dict[str, float]] = field(default_factory=dict)
    used: list[Score] = field(default_factory=list)
    failures: dict[tuple[Arm, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spending = Spending(self.problem.costs)

    def run(self) -> str:
        """Search; returns why it ended: `budget`, `gap`, or `done` when nothing was left to score.

        Raises:
            ValueError: no layer of the final checkpoint could be scored on every task, so there is nothing to compare
                with; or the log of decisions holds one that this search does not make.
        """
        plane = self.problem.plane
        final = plane.column(plane.revisions[-1])
        for arm in final:
            self._pull(Pull(len(self.trajectory.steps), arm, self.problem.tasks))
        if all(self.objective(arm) is None for arm in final):
            (_, task), reason = next(iter(self.failures.items()))
            name = plane.revisions[-1].name
            raise ValueError(f"{plane.model}: no layer of {name} could be scored on every task ({task}: {reason})")
        stopped = self._ask_and_tell()
        self._finish_leader()
        self.trajectory.end()
        self.trajectory.write(self.policy.posterior(), stopped)
        return stopped

    def objective(self, arm: Arm) -> float | None:
        """The arm's measured objective in points; None unless every task was scored."""
        scores = self.points.get(arm, {})
        return combine(self.problem.weights, scores) if set(self.problem.weights) <= set(scores) else None

    def _ask_and_tell(self) -> str:
        plane = self.problem.plane
        exhaustive = self.spending.table.exhaustive(len(plane.revisions), plane.width).total
        pulls = 0
        while True:
            if self.stopping.should_stop(self.policy):
                return "gap"
            asked = self.policy.ask(1)
            if not asked:
                return "done"
            price = self.spending.price(asked[0].arm, asked[0].tasks).total
            if self.budget.is_spent(pulls, self.spending.spent.total + price, exhaustive):
                return "budget"
            for guess in self.policy.ask(1, pending=asked):  # a wrong guess changes no decision
                self.worker.expect(self._job(guess))
            self._pull(asked[0])
            pulls += 1

    def _job(self, pull: Pull) -> ColumnJob:
        specs = {task.name: task for task in self.tasks}
        return ColumnJob(pull.arm.revision, tuple(Cell.of(pull.arm, specs[name]) for name in pull.tasks))

    def _finish_leader(self) -> None:
        """Score the leader on the tasks that are missing; as that may change the leader, until nothing is missing."""
        for _ in range(len(self.problem.plane.arms())):
            arm = self.policy.recommend().arm
            known = {*self.points.get(arm, {}), *(name for failed, name in self.failures if failed == arm)}
            missing = tuple(name for name in self.problem.tasks if name not in known)
            if not missing:
                return
            self._pull(Pull(len(self.trajectory.steps), arm, missing))

    def _pull(self, pull: Pull) -> None:
        new = not self.trajectory.resuming
        self.trajectory.decide(pull.arm, pull.tasks)
        result = self.worker.run_column(self._job(pull))
        points = {cell.task.name: round(100 * score.value, 4) for cell, score in result.scores.items()}
        self.points.setdefault(pull.arm, {}).update(points)
        self.used += result.scores.values()
        self.failures |= {(pull.arm, cell.task.name): reason for cell, reason in result.failures.items()}
        scores = {name: points.get(name) for name in pull.tasks}
        observation = Observation(pull, scores, self.spending.pay(pull.arm, pull.tasks))
        self.policy.tell(observation)
        recommended = self.policy.recommend()
        self.trajectory.observe(observation, self.spending.spent.total, recommended)
        if new:
            self.trajectory.write(self.policy.posterior(), None)
            self._report(observation)

    def _report(self, observation: Observation) -> None:
        step, scores = self.trajectory.steps[-1], observation.scores
        known = [f"{name} {value:.1f}" for name, value in scores.items() if value is not None]
        whole = self.objective(observation.pull.arm)
        # the leader's number is its objective, so a mean over fewer tasks must not stand beside it
        some = ", ".join(known[:SHOWN]) + f" and {len(known) - SHOWN} more" * (len(known) > SHOWN)
        found = f"objective {whole:.1f}" if whole is not None else some or "all failed"
        led = step.recommended
        estimate = f"{led.mean:.1f}{f' ± {led.sd:.1f}' if led.sd else ''}"  # one standard deviation, as in the report
        log.info(
            "pull %d: %s, %d task%s, %s · leader %s %s · %.1f %% of the exhaustive cost",
            *(step.t, observation.pull.arm.label, len(scores), "s" * (len(scores) != 1), found),
            *(led.arm, estimate, 100 * step.share),
        )
