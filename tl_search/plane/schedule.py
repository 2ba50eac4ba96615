"""At which training steps a checkpoint is written. A step is the number of *completed optimizer steps*.

Step 0, every epoch's end and the last step belong to a schedule, except where a class says otherwise; no thinning
removes them, nor a step that is listed by hand.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol, TypeVar

from tl_search.plane.horizon import Horizon
from tl_search.plane.spacing import MOST, at_least, check_rising, evenly, growing_gaps, growing_offsets, regular, thin

T = TypeVar("T")

PYTHIA_STEPS = 143_000  # length of every Pythia run (Biderman et al., 2023, arXiv:2304.01373)


class Schedule(Protocol):
    """Knows the steps at which a run of a given horizon writes a revision, and which of them no thinning removes."""

    def steps(self, horizon: Horizon) -> tuple[int, ...]: ...

    def kept(self, horizon: Horizon) -> set[int]: ...


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A rule that spaces checkpoints, joined with steps listed by hand and with other schedules.

    Args:
        min_checkpoint_interval: Least distance of two revisions in steps; pinned and listed steps stay in any case.
        checkpoint_schedule: Steps listed by hand, rising; they are never thinned.
        also: What else belongs to the schedule: a step, another schedule, or the name of one in its default settings.
    """

    min_checkpoint_interval: int = 0
    checkpoint_schedule: tuple[int, ...] = ()
    also: tuple[Schedule | int | str, ...] = ()

    def __post_init__(self) -> None:
        at_least("min_checkpoint_interval", self.min_checkpoint_interval, 0)
        check_rising("checkpoint_schedule", self.checkpoint_schedule)
        for place, entry in enumerate(self.also):
            if isinstance(entry, int):
                at_least(f"also[{place}]", entry, 0)
            if isinstance(entry, str) and entry not in NAMED:
                raise ValueError(f"also[{place}]: must be a step or one of {', '.join(NAMED)}, got {entry!r}")

    @abstractmethod
    def spaced(self, horizon: Horizon) -> set[int]:
        """The steps of the schedule's own rule."""

    def pinned(self, horizon: Horizon) -> set[int]:
        """The steps that the horizon alone asks for."""
        return horizon.pinned

    def kept(self, horizon: Horizon) -> set[int]:
        """Pinned and listed steps. Raises ValueError for one that the run does not reach."""
        listed = {f"checkpoint_schedule[{place}]": step for place, step in enumerate(self.checkpoint_schedule)}
        listed |= {f"also[{place}]": entry for place, entry in enumerate(self.also) if isinstance(entry, int)}
        for name, step in listed.items():
            if step > horizon.total:
                raise ValueError(f"{name}: must be at most the run's last step, {horizon.total}, got {step}")
        return self.pinned(horizon).union(listed.values(), *self._ask(lambda other: other.kept(horizon)))

    def steps(self, horizon: Horizon) -> tuple[int, ...]:
        """All steps, rising. Raises ValueError for a listed step that the run does not reach."""
        kept = self.kept(horizon)  # first, since it costs little and finds mistakes
        steps = self.spaced(horizon).union(*self._ask(lambda other: other.steps(horizon)))
        return thin(steps, kept, self.min_checkpoint_interval)

    def _ask(self, question: Callable[[Schedule], T]) -> list[T]:
        """What each of the schedules in `also` answers; a mistake in one of them is told with its place."""
        answers = []
        for place, entry in enumerate(self.also):
            if isinstance(entry, int):
                continue
            try:
                answers.append(question(NAMED[entry]() if isinstance(entry, str) else entry))
            except ValueError as error:
                raise ValueError(f"also[{place}].{error}") from error
        return answers


@dataclass(frozen=True)
class EpochRule(Rule):
    """A rule that starts anew in every epoch, can treat the first one apart, and can be switched off.

    Args:
        first_epoch_checkpoints: How many revisions the first epoch gets, evenly spread from step 0 to its end; null
            spaces the first epoch like the others. 0 and 1 leave the epoch's end only, without step 0.
        auto_generate_checkpoints: False leaves pinned and listed steps only; some must then be listed.
    """

    first_epoch_checkpoints: int | None = 20
    auto_generate_checkpoints: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        count = self.first_epoch_checkpoints
        if count is not None:
            at_least("first_epoch_checkpoints", count, 0)
            if count > MOST:
                raise ValueError(f"first_epoch_checkpoints: must be <= {MOST}, got {count}")
        if not (self.auto_generate_checkpoints or self.checkpoint_schedule):
            raise ValueError("checkpoint_schedule: must list steps when auto_generate_checkpoints is false, got none")

    def pinned(self, horizon: Horizon) -> set[int]:
        without_start = self.first_epoch_checkpoints is not None and self.first_epoch_checkpoints < 2
        return horizon.pinned - {0} if without_start else horizon.pinned

    def spaced(self, horizon: Horizon) -> set[int]:
        steps = set[int]()
        if not self.auto_generate_checkpoints:
            return steps
        for number, (start, end) in enumerate(horizon.epochs):
            evened = number == 0 and self.first_epoch_checkpoints is not None
            steps.update(evenly(self.first_epoch_checkpoints or 0, end) if evened else self.in_epoch(start, end))
            if len(steps) > MOST:
                raise ValueError(
                    f"auto_generate_checkpoints: must be false where it makes more than {MOST} checkpoints; "
                    f"here a run of {len(horizon.epoch_ends)} epochs would get them"
                )
        return steps

    @abstractmethod
    def in_epoch(self, start: int, end: int) -> Iterable[int]:
        """The rule's steps in an epoch; its last step may be left out."""


class LogMode(Enum):
    """`gaps`: the *gaps* grow by the base (0, 2, 6, 14, 30, …); `offset`: the offsets do (2, 4, 8, 16, …)."""

    gaps = "gaps"
    offset = "offset"


@dataclass(frozen=True)
class LogSchedule(EpochRule):
    """Dense where training changes fastest: gaps that grow by a base, anew in every epoch.

    Args:
        log_base: Ratio of neighbouring gaps, > 1.
        log_mode: What grows by the base: gaps or offsets.

    Example:
        >>> LogSchedule(first_epoch_checkpoints=None).steps(Horizon(50))
        (0, 2, 6, 14, 30, 50)
    """

    log_base: float = 2.0
    log_mode: LogMode = LogMode.gaps

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.log_base > 1:  # also refuses NaN
            raise ValueError(f"log_base: must be > 1, got {self.log_base:g}")
        if self.log_base < 1.001:  # offsets would hardly grow: as good as every step, after an endless count
            raise ValueError(f"log_base: must be >= 1.001, got {self.log_base}")

    def in_epoch(self, start: int, end: int) -> set[int]:
        return (growing_gaps if self.log_mode is LogMode.gaps else growing_offsets)(self.log_base, start, end)


@dataclass(frozen=True)
class LinearSchedule(EpochRule):
    """Revisions at a fixed interval, anew in every epoch.

    Args:
        linear_interval: Steps between revisions, >= 1; null means a tenth of the epoch.

    Example:
        >>> LinearSchedule(first_epoch_checkpoints=None, linear_interval=20).steps(Horizon(50))
        (0, 20, 40, 50)
    """

    linear_interval: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.linear_interval is not None:
            at_least("linear_interval", self.linear_interval, 1)

    def in_epoch(self, start: int, end: int) -> range:
        length = end - start + (start > 0)  # in optimizer steps: step 0 is before the first of them
        return regular("linear_interval", self.linear_interval or max(1, length // 10), start, end)


@dataclass(frozen=True)
class PythiaSchedule(Rule):
    """The Pythia suite's steps: 0, 1, 2, 4, …, 512, then every 1000 (Biderman et al., 2023, arXiv:2304.01373).

    Args:
        linear_interval: Steps between revisions after the first doublings, >= 1; those end below it.
        scale: Stretch or shrink the pattern of Pythia's 143000 steps to the run's length.

    Example:
        >>> PythiaSchedule().steps(Horizon(2500))
        (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 2500)
    """

    linear_interval: int = 1000
    scale: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("linear_interval", self.linear_interval, 1)

    def spaced(self, horizon: Horizon) -> set[int]:
        length = PYTHIA_STEPS if self.scale else horizon.total
        every = regular("linear_interval", self.linear_interval, self.linear_interval, length)
        doublings = (step for step in (2**power for power in range(10)) if step < self.linear_interval)
        return {step * horizon.total // length for step in (*doublings, *every) if step <= length}


@dataclass(frozen=True)
class EverySchedule(Rule):
    """Revisions at a fixed interval over the whole run, whatever its epochs.

    Args:
        interval: Steps between revisions, >= 1.

    Example:
        >>> EverySchedule(interval=20).steps(Horizon(50))
        (0, 20, 40, 50)
    """

    interval: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("interval", self.interval, 1)

    def spaced(self, horizon: Horizon) -> set[int]:
        return set(regular("interval", self.interval, 0, horizon.total))


@dataclass(frozen=True)
class ExplicitSchedule(Rule):
    """The steps that are listed by hand, and the pinned ones.

    Example:
        >>> ExplicitSchedule(checkpoint_schedule=(3, 4)).steps(Horizon(50))
        (0, 3, 4, 50)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.checkpoint_schedule:
            raise ValueError("checkpoint_schedule: must list at least one step, got none")

    def spaced(self, horizon: Horizon) -> set[int]:
        return set()


@dataclass(frozen=True)
class NoSchedule(Rule):
    """The final model only, and what is listed by hand: neither step 0 nor the epochs' ends."""

    def spaced(self, horizon: Horizon) -> set[int]:
        return set()

    def pinned(self, horizon: Horizon) -> set[int]:
        return {horizon.total}


# What `also` may name: schedules that need no setting.
NAMED: dict[str, type[Rule]] = {
    "log": LogSchedule,
    "linear": LinearSchedule,
    "pythia": PythiaSchedule,
    "every": EverySchedule,
    "none": NoSchedule,
}


def warning(schedule: Schedule, horizon: Horizon) -> str | None:
    """What is odd about a schedule in a run of this horizon, in one sentence; None if nothing is.

    Raises ValueError for a listed step that the run does not reach.
    """
    interval, longest = getattr(schedule, "min_checkpoint_interval", 0), max(b - a for a, b in horizon.epochs)
    if interval <= longest or not isinstance(schedule, Rule):
        return None
    whole, left = len(replace(schedule, min_checkpoint_interval=0).steps(horizon)), len(schedule.steps(horizon))
    if left == whole:
        return None
    return (
        f"min_checkpoint_interval: {interval} steps are more than the longest epoch has; of {whole} checkpoints only "
        f"the pinned and listed ones remain, {left}"
    )
