"""`result.json`: what a finished search found, measured on data that did not choose it. All scores are in points."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from tl_search.plane.arm_name import ArmName
from tl_search.runs.apart import Apart
from tl_search.runs.layout import HEALED_BY, RunPaths
from tl_search.runs.searched_plane import Seconds
from tl_search.store.typed_json import read_record, write_record

VERDICTS = ("trained", "control", "no difference")


class Interval(NamedTuple):
    """A confidence interval in points."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high

    @classmethod
    def read(cls, value: Sequence[float]) -> Self:
        """From `[low, high]`. Raises ValueError for anything else."""
        low, high = value
        if not float(low) <= float(high):
            raise ValueError(f"interval: must be [low, high], got {value}")
        return cls(float(low), float(high))


@dataclass(frozen=True)
class Selected:
    """An arm's scores on the data that chose it; no objective where a task has no score."""

    objective: float | None = None
    tasks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Confirmed:
    """An arm's scores on held-out data: the objective with its interval, and every task.

    Results from before standard errors were written have none.
    """

    objective: float
    interval: Interval
    tasks: Mapping[str, float]
    standard_error: float | None = None
    task_errors: Mapping[str, float] = field(default_factory=dict)

    OPTIONAL: ClassVar = ("standard_error", "task_errors")


@dataclass(frozen=True)
class Finalist:
    """An arm that was measured on held-out data; `official` is of whole splits, where arms were chosen on a half."""

    arm: ArmName
    selection: Selected
    confirmation: Confirmed
    official: Selected | None = None

    OPTIONAL: ClassVar = ("official",)

    @property
    def fall(self) -> float | None:
        """Score on selection data minus score on held-out data, in points, over the tasks that have both.

        Of the arm that was chosen it is the winner's curse, and what the data differ in difficulty; of another arm,
        the latter alone.
        """
        if self.selection.objective is None or self.selection.tasks.keys() != self.confirmation.tasks.keys():
            return None
        return round(self.selection.objective - self.confirmation.objective, 4)


@dataclass(frozen=True)
class Gain:
    """How much better one arm is than another, with a paired interval; significant where that does not hold 0."""

    gain: float
    interval: Interval
    significant: bool = False
    standard_error: float | None = None

    OPTIONAL: ClassVar = ("standard_error",)


@dataclass(frozen=True)
class Gains:
    """What the best arm gains over others.

    Args:
        final_last: Over the final checkpoint's last layer, as it is.
        final_best: Over the final checkpoint's arm that was best by selection.
        same_readout: Over the final checkpoint's last layer under the best arm's readout: what the place is worth.
        as_raw: Over the same layer without the readout: what the readout is worth.
    """

    final_last: Gain
    final_best: Gain
    same_readout: Gain | None = None
    as_raw: Gain | None = None

    OPTIONAL: ClassVar = ("same_readout", "as_raw")


@dataclass(frozen=True)
class Side:
    """One of two arms that are compared on a task, and its score on held-out data."""

    arm: ArmName
    confirmation: float
    standard_error: float | None = None

    OPTIONAL: ClassVar = ("standard_error",)


@dataclass(frozen=True)
class Chance:
    """What vectors score on held-out data that know nothing of a text, or only its length; None where they cannot."""

    random: float | None = None
    lengths: float | None = None


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """A task's best trained arm against its strongest control, both on held-out data.

    Args:
        task: Name of the task.
        trained: Step > 0, layer >= 1; best by selection.
        control: Token embeddings (layer 0) or random weights (step 0).
        controls: How many there were.
        gain: Score of the former minus that of the latter.
        interval: Confidence interval of the gain; it holds for all controls of the task at once.
        verdict: `trained`, `control`, or `no difference`.
        standard_error: Of the gain.
        chance: What is reached without a model; None in results from before this was written.
    """

    task: str
    trained: Side
    control: Side
    controls: int = 0
    gain: float
    interval: Interval
    verdict: str
    standard_error: float | None = None
    chance: Chance | None = None

    OPTIONAL: ClassVar = ("standard_error", "chance")

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict: must be one of {', '.join(VERDICTS)}, got {self.verdict!r}")


@dataclass(frozen=True)
class Charged:
    """What the search cost by the cost table; `share` is that of the exhaustive cost which the search spent."""

    search: Seconds
    exhaustive: Seconds
    confirmation: Seconds
    share: float

    @property
    def whole_share(self) -> float:
        """What search and confirmation spent, as a share of the exhaustive cost; it may exceed 1."""
        return (self.search.total + self.confirmation.total) / self.exhaustive.total


@dataclass(frozen=True)
class Skipped:
    """A cell that has no score, and why."""

    arm: ArmName
    task: str
    reason: str


@dataclass(frozen=True)
class Cut:
    """How many of the texts that were embedded are longer than `extraction.max_length`; only their start counts."""

    cut: int
    texts: int

    @classmethod
    def of_all(cls, parts: Iterable[Self | None]) -> Self | None:
        """The sum of those that are known; None where none is."""
        known = [part for part in parts if part is not None]
        return cls(sum(part.cut for part in known), sum(part.texts for part in known)) if known else None


@dataclass(frozen=True)
class Searched:
    """What was searched, and how: the names of the model, the policy, the sampling and the tasks."""

    model: str
    policy: str
    sampling: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The answer of a search.

    Args:
        best: The arm that the search chose.
        final_last: The last layer of the final checkpoint.
        final_best: The layer of the final checkpoint that was best on selection data.
        gains: Gains of the best arm over the other two.
        confidence: Confidence level of all intervals.
        tasks: One by one.
        cost: By the cost table.
        stopped: Why the search ended.
        pulls: Decisions made.
        arms_scored: Arms with at least one scored task.
        left_out: Tasks that the compared objectives do without.
        skipped: Cells without a score.
        seconds: What `search` and `confirmation` took by the clock.
        unmeasured: Revision → why its label-free metrics could not be measured; None until that was tried.
        revisions_left_out: What the checkpoint source said of each revision that it left out.
        healed: What was damaged on disk and made anew: `scores`, `replicates`, `columns` of vectors → how many.
        texts_cut: Of the final checkpoint's texts; None where its vectors are not on disk.
        searched: What was searched, and how; None in results from before this was written.
        suspect: Revisions whose scores look like those of another model.
        same_readout: The final checkpoint's last layer under the best arm's readout; None where that is raw.
        as_raw: The best arm's layer without its readout; None where that is raw.
    """

    best: Finalist
    final_last: Finalist
    final_best: Finalist
    gains: Gains
    confidence: float
    tasks: tuple[TaskOutcome, ...]
    cost: Charged
    stopped: str
    pulls: int
    arms_scored: int
    left_out: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    unmeasured: Mapping[str, str] | None = None
    revisions_left_out: tuple[str, ...] = ()
    healed: Mapping[str, int] = field(default_factory=dict)
    texts_cut: Cut | None = None
    searched: Searched | None = None
    suspect: tuple[Apart, ...] = ()
    same_readout: Finalist | None = None
    as_raw: Finalist | None = None

    OPTIONAL = (
        *("searched", "unmeasured", "revisions_left_out", "healed", "texts_cut", "suspect"),
        *("same_readout", "as_raw"),
    )
    HEALED_BY: ClassVar[str] = HEALED_BY

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """None of a search that is not finished. Raises ValueError naming the file when it is damaged."""
        path = RunPaths(run).result
        return read_record(cls, path) if path.exists() else None

    def write(self, run: Path) -> None:
        write_record(RunPaths(run).result, self)

    @property
    def named(self) -> Finalist:
        """The finalist that the confirmed scores speak for: the arm that the search chose, unless it is significantly
        worse than one that it is compared with."""
        rivals = [(self.final_last, self.gains.final_last), (self.final_best, self.gains.final_best)]
        if self.as_raw is not None and self.gains.as_raw is not None:
            rivals.append((self.as_raw, self.gains.as_raw))
        better = [rival for rival, gain in rivals if gain.gain < 0 and not gain.interval.holds_zero]
        return max(better, key=lambda rival: rival.confirmation.objective, default=self.best)

    def arms(self) -> Iterator[ArmName]:
        """Every arm that is named."""
        yield from (self.best.arm, self.final_last.arm, self.final_best.arm)
        yield from (one.arm for one in (self.same_readout, self.as_raw) if one is not None)
        for task in self.tasks:
            yield from (task.trained.arm, task.control.arm)
        yield from (cell.arm for cell in self.skipped)
