"""What the loop leaves on disk: `pulls.jsonl`, the decisions in order, and `bandit_state.json`, a view of them.

A resumed search decides again from the start; the ledger answers at once, and the log checks that every decision is
the one that was made before. So nothing has to be restored, and nothing can be restored wrongly.
"""

from pathlib import Path

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Observation, Recommendation
from tl_search.runs.layout import RunPaths
from tl_search.runs.pulls import BanditState, Decision, Estimates, Recommended, Step
from tl_search.store.journal import Journal
from tl_search.store.typed_json import from_plain, to_plain


class Trajectory:
    """The decisions of one search; `exhaustive` is what scoring the whole plane would cost, in seconds."""

    def __init__(self, folder: Path, model: str, policy: str, exhaustive: float) -> None:
        self.folder, self.model, self.policy, self.exhaustive = folder, model, policy, exhaustive
        self.journal = Journal(RunPaths(folder).pulls)
        self.before: list[Decision] = [from_plain(Decision, record) for record in self.journal.records()]
        self.steps: list[Step] = []

    @property
    def resuming(self) -> bool:
        """Whether the next decision was made before."""
        return len(self.steps) < len(self.before)

    def decide(self, arm: Arm, tasks: tuple[str, ...]) -> None:
        """Log a decision before it is carried out.

        Raises:
            ValueError: this place of the log holds another decision.
        """
        decision = Decision(len(self.steps), arm.name, tasks)
        if not self.resuming:
            self.journal.append(to_plain(decision))
        elif self.before[decision.t] != decision:
            raise self._other(f"would pull {decision}")

    def end(self) -> None:
        """Raises ValueError when the log goes on: the search was longer before."""
        if self.resuming:
            raise self._other("would end")

    def _other(self, now: str) -> ValueError:
        number = len(self.steps)
        return ValueError(
            f"{self.journal.path}: line {number + 1} pulls {self.before[number]}, where the search now {now}; "
            "another version of tl_search wrote it, or a cell that failed then can be scored now; "
            "begin another run (name=...), which finds all scores in the ledger"
        )

    def observe(self, observation: Observation, spent: float, recommended: Recommendation) -> None:
        """Add what the decision brought; `spent` is the sum so far, in seconds of the cost table."""
        pull = observation.pull
        self.steps.append(
            Step(
                t=len(self.steps),
                model=pull.arm.model,
                arm=pull.arm.name,
                tasks=pull.tasks,
                scores=dict(observation.scores),
                cost=observation.cost,
                spent=round(spent, 6),
                share=round(spent / self.exhaustive, 6),
                recommended=Recommended(recommended.arm.name, round(recommended.mean, 4), round(recommended.sd, 4)),
            )
        )

    def write(self, posterior: tuple[np.ndarray, np.ndarray] | None, stopped: str | None) -> None:
        """Replace the view; `posterior` is (mean, sd), each (revision, layer), in points."""
        estimates = None
        if posterior is not None:
            mean, sd = (np.round(np.asarray(part, float), 4).tolist() for part in posterior)
            estimates = Estimates(mean, sd)
        BanditState(self.model, self.policy, tuple(self.steps), estimates, stopped).write(self.folder)
