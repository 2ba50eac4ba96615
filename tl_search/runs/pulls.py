"""`pulls.jsonl`, the decisions of a search in order, and `bandit_state.json`, a summary of them and their results."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from tl_search.plane.arm_name import ArmName
from tl_search.plane.pull import Cost
from tl_search.runs.layout import HEALED_BY, RunPaths
from tl_search.store.journal import Journal
from tl_search.store.outside import LARGE
from tl_search.store.typed_json import from_plain, read_record, write_record


@dataclass(frozen=True)
class Decision:
    """A line of `pulls.jsonl`: at the `t`-th decision, counted from 0, these tasks are scored at this arm."""

    t: int
    arm: ArmName
    tasks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.arm} on {', '.join(self.tasks)}"


def decisions(path: Path) -> list[Decision]:
    """Those of a log, without an incomplete last line. Raises ValueError, which names the line that is damaged."""
    log = Journal(path, HEALED_BY)
    found = []
    for number, record in enumerate(log.peek(), 1):
        with log.fitting(number):
            found.append(from_plain(Decision, record))
    return found


@dataclass(frozen=True)
class Recommended:
    """The arm that the policy recommends: its estimated objective and the standard deviation of that, in points."""

    arm: ArmName
    mean: float
    sd: float


@dataclass(frozen=True)
class Step:
    """One pull and what it brought.

    Args:
        t: Number of the decision, from 0.
        model: Name of the model.
        arm: That was scored.
        tasks: On which.
        scores: By task, in points; None where the task failed.
        cost: Cost of this pull, in seconds of the cost table.
        spent: Cost of all pulls so far.
        share: `spent` as a share of the exhaustive cost.
        recommended: By the policy after it.
    """

    t: int
    model: str
    arm: ArmName
    tasks: tuple[str, ...]
    scores: Mapping[str, float | None]
    cost: Cost
    spent: float
    share: float
    recommended: Recommended


@dataclass(frozen=True)
class Estimates:
    """The posterior of every arm's objective: (revision, layer), in points."""

    mean: tuple[tuple[float, ...], ...]
    sd: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class BanditState:
    """A search so far.

    Args:
        model: Name of the model.
        policy: Which policy decides.
        trajectory: The pulls, in order.
        posterior: The posterior of a policy with a surrogate model; else None.
        stopped: Why the search ended; None while it is running.
    """

    model: str
    policy: str
    trajectory: tuple[Step, ...]
    posterior: Estimates | None = None
    stopped: str | None = None

    HEALED_BY: ClassVar[str] = HEALED_BY
    LIMIT: ClassVar[int] = LARGE

    @classmethod
    def read(cls, run: Path) -> Self:
        """Raises ValueError naming the file when it is missing or damaged, or tells of other decisions than the log."""
        paths = RunPaths(run)
        state = read_record(cls, paths.bandit_state)
        told = [Decision(step.t, step.arm, step.tasks) for step in state.trajectory]
        made = decisions(paths.pulls)[: None if state.stopped else len(told)]  # the log is ahead while a search runs
        if paths.pulls.exists() and told != made:
            raise ValueError(f"{paths.bandit_state}: is not of this search, see {paths.pulls.name}; {HEALED_BY}")
        return state

    def write(self, run: Path) -> None:
        write_record(RunPaths(run).bandit_state, self)
