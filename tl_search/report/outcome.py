"""The confirmed result of a finished search: `result.json` as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tl_search.plane.arm_name import ArmName
from tl_search.plane.pull import Cost

VERDICTS = ("trained", "control", "no difference")


class Interval(NamedTuple):
    """A confidence interval in points."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Finalist:
    """An arm that was scored on data that the search never saw. All scores are points."""

    place: ArmName
    selection: float | None
    confirmed: float
    interval: Interval
    tasks: Mapping[str, float]


@dataclass(frozen=True)
class Gain:
    """How much better one arm is than another, with a paired interval."""

    gain: float
    interval: Interval


@dataclass(frozen=True)
class TaskOutcome:
    """The best trained arm of a task against its strongest control, both on confirmation data."""

    task: str
    trained: ArmName
    trained_score: float
    control: ArmName
    control_score: float
    gain: float
    interval: Interval
    verdict: str


@dataclass(frozen=True)
class Skipped:
    """A cell that has no score, and why."""

    place: ArmName
    task: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What the search found and what it cost.

    Args:
        best: The arm that the search chose.
        final_last: The last layer of the final checkpoint.
        final_best: The layer of the final checkpoint that was best on selection data.
        over_final_last: The chosen arm's gain over the former.
        over_final_best: The chosen arm's gain over the latter.
        confidence: Of all intervals.
        tasks: One by one.
        search: Charged by the cost table, as are `exhaustive` and `confirmation` (seconds).
        share: What the search spent of the exhaustive cost.
        stopped: Why it stopped.
        pulls: Decisions made.
        arms_scored: Arms with at least one scored task.
        seconds: What search and confirmation took by the clock.
        skipped: Cells without a score.
        left_out: Tasks that the compared objectives do without.
    """

    best: Finalist
    final_last: Finalist
    final_best: Finalist
    over_final_last: Gain
    over_final_best: Gain
    confidence: float
    tasks: tuple[TaskOutcome, ...]
    search: Cost
    exhaustive: Cost
    confirmation: Cost
    share: float
    stopped: str
    pulls: int
    arms_scored: int
    seconds: Mapping[str, float]
    skipped: tuple[Skipped, ...]
    left_out: tuple[str, ...] = ()

    def places(self) -> Iterator[ArmName]:
        """Every arm that is named."""
        yield from (self.best.place, self.final_last.place, self.final_best.place)
        for task in self.tasks:
            yield from (task.trained, task.control)
        yield from (cell.place for cell in self.skipped)


def read_outcome(value: Mapping[str, Any]) -> Outcome:
    """Raises KeyError, TypeError or ValueError where the value is not of `result.json`'s form."""
    cost, gains = value["cost"], value["gains"]
    return Outcome(
        best=_finalist(value["best"]),
        final_last=_finalist(value["final_last"]),
        final_best=_finalist(value["final_best"]),
        over_final_last=Gain(float(gains["final_last"]["gain"]), _interval(gains["final_last"])),
        over_final_best=Gain(float(gains["final_best"]["gain"]), _interval(gains["final_best"])),
        confidence=float(value["confidence"]),
        tasks=tuple(_task(entry) for entry in value["tasks"]),
        search=_cost(cost["search"]),
        exhaustive=_cost(cost["exhaustive"]),
        confirmation=_cost(cost["confirmation"]),
        share=float(cost["share"]),
        stopped=str(value["stopped"]),
        pulls=int(value["pulls"]),
        arms_scored=int(value["arms_scored"]),
        seconds={str(part): float(seconds) for part, seconds in value["seconds"].items()},
        skipped=tuple(
            Skipped(ArmName.read(entry["arm"]), str(entry["task"]), str(entry["reason"])) for entry in value["skipped"]
        ),
        left_out=tuple(map(str, value.get("left_out", ()))),
    )


def _finalist(value: Mapping[str, Any]) -> Finalist:
    confirmation, selection = value["confirmation"], (value.get("selection") or {}).get("objective")
    return Finalist(
        place=ArmName.read(value["arm"]),
        selection=None if selection is None else float(selection),
        confirmed=float(confirmation["objective"]),
        interval=_interval(confirmation),
        tasks={str(task): float(score) for task, score in confirmation["tasks"].items()},
    )


def _task(value: Mapping[str, Any]) -> TaskOutcome:
    if value["verdict"] not in VERDICTS:
        raise ValueError(f"verdict: must be one of {', '.join(VERDICTS)}, got {value['verdict']!r}")
    return TaskOutcome(
        task=str(value["task"]),
        trained=ArmName.read(value["trained"]["arm"]),
        trained_score=float(value["trained"]["confirmation"]),
        control=ArmName.read(value["control"]["arm"]),
        control_score=float(value["control"]["confirmation"]),
        gain=float(value["gain"]),
        interval=_interval(value),
        verdict=value["verdict"],
    )


def _interval(value: Mapping[str, Any]) -> Interval:
    low, high = value["interval"]
    if not float(low) <= float(high):
        raise ValueError(f"interval: must be [low, high], got {value['interval']}")
    return Interval(float(low), float(high))


def _cost(value: Mapping[str, Any]) -> Cost:
    return Cost(*(float(value[part]) for part in ("load", "embed", "score")))
