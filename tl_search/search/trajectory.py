"""Writes the files of the loop: `pulls.jsonl`, the decisions in order, and `bandit_state.json`, a summary of them.

A resumed search makes all its decisions again from the start. It finds the scores in the ledger, so this takes little
time, and checks every decision against `pulls.jsonl`. So no state of the policy has to be saved and restored.
"""

from pathlib import Path

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Observation, Recommendation
from tl_search.runs.layout import HEALED_BY, RunPaths
from tl_search.runs.pulls import BanditState, Decision, Estimates, Recommended, Step, decisions
from tl_search.store.journal import Journal
from tl_search.store.typed_json import to_plain


class Trajectory:
    """The decisions of one search.

    Args:
        folder: The run directory.
        model: Name of the model.
        policy: Which policy decides.
        exhaustive: Seconds that scoring the whole plane would cost.
    """

    def __init__(self, folder: Path, model: str, policy: str, exhaustive: float) -> None:
        self.folder, self.model, self.policy, self.exhaustive = folder, model, policy, exhaustive
        self.journal = Journal(RunPaths(folder).pulls, HEALED_BY)
        self.journal.records()  # removes an incomplete last line, since further ones follow
        self.before = decisions(self.journal.path)
        self.steps: list[Step] = []

    @property
    def resuming(self) -> bool:
        """Whether the log already contains the next decision."""
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
        """Raises ValueError if the log has further decisions, so that the search was longer before."""
        if self.resuming:
            raise self._other("would end")

    def _other(self, now: str) -> ValueError:
        number = len(self.steps)
        return ValueError(
            f"{self.journal.path}: line {number + 1} pulls {self.before[number]}, but the search now {now}; "
            "another version of tl_search wrote it, or a cell that failed then can be scored now; "
            "start another run (name=...), which reuses all scores in the ledger"
        )

    def observe(self, observation: Observation, spent: float, recommended: Recommendation) -> None:
        """Add the result of the decision; `spent` is the total cost so far, in seconds of the cost table."""
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
