"""What the loop leaves on disk: `pulls.jsonl`, the decisions in order, and `bandit_state.json`, a view of them.

A resumed search decides again from the start; the ledger answers at once, and the log checks that every decision is
the one that was made before. So nothing has to be restored, and nothing can be restored wrongly.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tl_search.plane.arm import Arm
from tl_search.plane.pull import Observation, Recommendation
from tl_search.store.atomic import write_json
from tl_search.store.journal import Journal


class Trajectory:
    """The decisions of one search.

    Args:
        folder: The run directory.
        about: What stands at the head of `bandit_state.json`: model, policy.
        exhaustive: Seconds that scoring the whole plane would cost.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], exhaustive: float) -> None:
        self.state = folder / "bandit_state.json"
        self.about, self.exhaustive = dict(about), exhaustive
        self.journal = Journal(folder / "pulls.jsonl")
        self.before = self.journal.records()
        self.steps: list[dict[str, Any]] = []

    @property
    def resuming(self) -> bool:
        """Whether the next decision was made before."""
        return len(self.steps) < len(self.before)

    def decide(self, arm: Arm, tasks: tuple[str, ...]) -> None:
        """Log a decision before it is carried out.

        Raises:
            ValueError: this place of the log holds another decision.
        """
        number = len(self.steps)
        record = {"t": number, "arm": [arm.revision.name, arm.layer], "tasks": list(tasks)}
        if not self.resuming:
            self.journal.append(record)
        elif self.before[number] != record:
            raise self._other(f"would pull {_tell(record)}")

    def end(self) -> None:
        """Raises ValueError when the log goes on: the search was longer before."""
        if self.resuming:
            raise self._other("would end")

    def _other(self, now: str) -> ValueError:
        number = len(self.steps)
        return ValueError(
            f"{self.journal.path}: line {number + 1} pulls {_tell(self.before[number])}, where the search now {now}; "
            "another version of tl_search wrote it, or a cell that failed then can be scored now; "
            "begin another run (name=...), which finds all scores in the ledger"
        )

    def observe(self, observation: Observation, spent: float, recommended: Recommendation) -> None:
        """Add what the decision brought; `spent` is the sum so far, in seconds of the cost table."""
        arm = observation.pull.arm
        self.steps.append(
            {
                "t": len(self.steps),
                "model": arm.model,
                "arm": [arm.revision.name, arm.layer],
                "tasks": list(observation.pull.tasks),
                "scores": dict(observation.scores),
                "cost": asdict(observation.cost),
                "spent": round(spent, 6),
                "share": round(spent / self.exhaustive, 6),
                "recommended": {
                    "arm": [recommended.arm.revision.name, recommended.arm.layer],
                    "mean": round(recommended.mean, 4),
                    "sd": round(recommended.sd, 4),
                },
            }
        )

    def write(self, posterior: tuple[np.ndarray, np.ndarray] | None, stopped: str | None) -> None:
        """Replace the view; `posterior` is (mean, sd), each (revision, layer), in points."""
        beliefs = None
        if posterior is not None:
            mean, sd = (np.round(np.asarray(part, float), 4).tolist() for part in posterior)
            beliefs = {"mean": mean, "sd": sd}
        write_json(self.state, {**self.about, "trajectory": self.steps, "posterior": beliefs, "stopped": stopped})


def _tell(record: Mapping[str, Any]) -> str:
    return f"{record['arm'][0]}/layer {record['arm'][1]} on {', '.join(record['tasks'])}"
