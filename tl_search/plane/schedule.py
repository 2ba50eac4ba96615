"""What a schedule is: it says at which training steps a checkpoint is written. Each one is a file in `schedules/`.

A step is the number of *completed optimizer steps*. Step 0, the last step of every epoch and the last step of the run
are the pinned steps. Every schedule holds them, except where its class says otherwise. Thinning never removes a
pinned step or a step that is listed by hand.

To add a schedule, write `schedules/NAME.py` with one frozen dataclass that gives every field a default value, and
`conf/schedule/NAME.yaml`, which names the class and lists its fields. The class is a `SpacedSchedule`, or has the two
methods of `Schedule`. The folder `schedules/` of a package that the user allows is searched too (`plugins.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar, Protocol, TypeVar

from tl_search import plugins
from tl_search.errors.limits import MOST_STEPS, between
from tl_search.plane.horizon import Horizon
from tl_search.plane.spacing import MOST, check_rising, evenly, thin

T = TypeVar("T")

EVEN = 20  # checkpoints that `auto` spreads evenly over the first of several epochs
_HOME = "tl_search.plane.schedules"


class Schedule(Protocol):
    """Says at which steps a run of a given length writes a checkpoint. Both methods may raise ValueError."""

    def steps(self, horizon: Horizon) -> tuple[int, ...]:
        """All steps with a checkpoint, rising, from 0 to the run's last step."""

    def kept(self, horizon: Horizon) -> set[int]:
        """Those of the steps that thinning must not remove."""


def names() -> list[str]:
    """The names of all schedules, sorted."""
    return plugins.names(_HOME)


def named(name: str) -> Schedule:
    """The schedule of the module `schedules/<name>.py`, in its default settings.

    Raises:
        ValueError: there is no such module; or it does not define exactly one class with a method `steps`; or the
            class has a setting that must be given.
    """
    module = plugins.find(_HOME, name)
    classes = [item for item in vars(module).values() if isinstance(item, type)] if module else []
    own = [cls for cls in classes if hasattr(cls, "steps") and cls.__module__ == getattr(module, "__name__", None)]
    if len(own) != 1:
        raise ValueError(f"must be the name of a schedule ({', '.join(names())}), got {name!r}")
    try:
        schedule: Schedule = own[0]()
    except ValueError as error:
        raise ValueError(f"{name} has a setting that must be given: {error}") from error
    return schedule


@dataclass(frozen=True, kw_only=True)
class SpacedSchedule:
    """A schedule with a rule of its own, to which steps listed by hand and other schedules can be added.

    Args:
        min_checkpoint_interval: Least distance of two checkpoints, in steps. Pinned and listed steps always stay.
        checkpoint_schedule: Steps listed by hand, rising. Thinning never removes them.
        also: What to add: steps, other schedules, or names of schedules, which then have their default settings.
    """

    min_checkpoint_interval: int = 0
    checkpoint_schedule: tuple[int, ...] = ()
    also: tuple[Schedule | int | str, ...] = ()

    DECIDES: ClassVar = {"steps": "min_checkpoint_interval checkpoint_schedule also"}

    def __post_init__(self) -> None:
        between(0, MOST_STEPS, min_checkpoint_interval=self.min_checkpoint_interval)
        check_rising("checkpoint_schedule", self.checkpoint_schedule)
        for place, entry in enumerate(self.also):
            if isinstance(entry, int):
                between(0, MOST_STEPS, **{f"also[{place}]": entry})
            if isinstance(entry, str):
                try:
                    named(entry)
                except ValueError as error:
                    raise ValueError(f"also[{place}]: {error}") from error

    def spaced(self, horizon: Horizon) -> set[int]:
        """The steps that the schedule's own rule gives, if it has one; pinned and listed steps may be left out."""
        return set()

    def rule(self, number: int, horizon: Horizon) -> str:
        """What places the steps of an epoch, in words; the first epoch has the number 0."""
        return f"{self._name}, counted over the whole run"

    @property
    def _name(self) -> str:
        return f"schedule={type(self).__module__.rpartition('.')[2]}"

    def pinned(self, horizon: Horizon) -> set[int]:
        """The steps that are kept because of the run's length and its epochs."""
        return horizon.pinned

    def kept(self, horizon: Horizon) -> set[int]:
        """Pinned and listed steps. Raises ValueError for a listed step after the run's last step."""
        listed = {f"checkpoint_schedule[{place}]": step for place, step in enumerate(self.checkpoint_schedule)}
        listed |= {f"also[{place}]": entry for place, entry in enumerate(self.also) if isinstance(entry, int)}
        for name, step in listed.items():
            if step > horizon.total:
                raise ValueError(f"{name}: must be at most the run's last step, {horizon.total}, got {step}")
        return self.pinned(horizon).union(listed.values(), *self._of_others(lambda other: other.kept(horizon)))

    def steps(self, horizon: Horizon) -> tuple[int, ...]:
        """All steps, rising. Raises ValueError for a listed step after the run's last step."""
        kept = self.kept(horizon)  # first, because it is cheap and finds mistakes
        steps = self.spaced(horizon).union(*self._of_others(lambda other: other.steps(horizon)))
        return thin(steps, kept, self.min_checkpoint_interval)

    def _of_others(self, answer: Callable[[Schedule], T]) -> list[T]:
        """The answer of each schedule in `also`; the message of an error names its place in the list."""
        answers = []
        for place, entry in enumerate(self.also):
            if isinstance(entry, int):
                continue
            try:
                answers.append(answer(named(entry) if isinstance(entry, str) else entry))
            except ValueError as error:
                raise ValueError(f"also[{place}].{error}") from error
        return answers


class FirstEpoch(Enum):
    """`auto`: 20 evenly spread checkpoints in the first of several epochs; the schedule's own rule in an only epoch."""

    auto = "auto"


@dataclass(frozen=True)
class EpochSchedule(SpacedSchedule, ABC):
    """A schedule whose rule starts again in every epoch. The first epoch may be spaced evenly instead.

    Args:
        first_epoch_checkpoints: Number of checkpoints in the first epoch, evenly spread from step 0 to its end. null
            applies the rule to the first epoch too. With 0 and 1, the first epoch has a checkpoint at its end only,
            not at step 0. auto is 20 in a run of several epochs, and null in a run that ends within its first epoch.
        auto_generate_checkpoints: False switches the rule off: only pinned and listed steps are left, and
            `checkpoint_schedule` must then list some.
    """

    first_epoch_checkpoints: int | FirstEpoch | None = FirstEpoch.auto
    auto_generate_checkpoints: bool = field(default=True, kw_only=True)

    DECIDES: ClassVar = {"steps": "first_epoch_checkpoints auto_generate_checkpoints"}

    def __post_init__(self) -> None:
        super().__post_init__()
        count = self.first_epoch_checkpoints
        if not isinstance(count, FirstEpoch):
            between(0, MOST, first_epoch_checkpoints=count)
        if not (self.auto_generate_checkpoints or self.checkpoint_schedule):
            raise ValueError("checkpoint_schedule: must list steps when auto_generate_checkpoints is false, got none")

    def even(self, horizon: Horizon) -> int | None:
        """The number of evenly spread checkpoints in the first epoch; None where the rule holds there, too."""
        if isinstance(self.first_epoch_checkpoints, FirstEpoch):
            return EVEN if len(horizon.epochs) > 1 else None
        return self.first_epoch_checkpoints

    def rule(self, number: int, horizon: Horizon) -> str:
        even, asked = self.even(horizon), self.first_epoch_checkpoints
        if not self.auto_generate_checkpoints:
            return "only pinned and listed steps (auto_generate_checkpoints=false)"
        if number == 0 and even is not None:
            said = asked.value if isinstance(asked, FirstEpoch) else asked
            return f"{even} evenly spread steps (first_epoch_checkpoints={said})"
        return f"{self._name}, counted from the start of the epoch"

    def pinned(self, horizon: Horizon) -> set[int]:
        even = self.even(horizon)
        return horizon.pinned - {0} if even is not None and even < 2 else horizon.pinned

    def spaced(self, horizon: Horizon) -> set[int]:
        steps = set[int]()
        if not self.auto_generate_checkpoints:
            return steps
        even = self.even(horizon)
        for number, (start, end) in enumerate(horizon.epochs):
            steps.update(self.in_epoch(start, end) if number or even is None else evenly(even, end))
            if len(steps) > MOST:
                raise ValueError(
                    f"auto_generate_checkpoints: must be false where it makes more than {MOST} checkpoints, "
                    f"as in this run of {len(horizon.epoch_ends)} epochs"
                )
        return steps

    @abstractmethod
    def in_epoch(self, start: int, end: int) -> Iterable[int]:
        """The rule's steps in the epoch from step `start` to step `end`; `end` itself may be left out."""


def warning(schedule: Schedule, horizon: Horizon) -> str | None:
    """One sentence when `min_checkpoint_interval` is longer than every epoch and removes checkpoints; else None.

    Raises ValueError for a listed step after the run's last step.
    """
    if not isinstance(schedule, SpacedSchedule):
        return None
    interval, longest = schedule.min_checkpoint_interval, max(end - start for start, end in horizon.epochs)
    if interval <= longest:
        return None
    whole, left = len(replace(schedule, min_checkpoint_interval=0).steps(horizon)), len(schedule.steps(horizon))
    if left == whole:
        return None
    return (
        f"min_checkpoint_interval: {interval} steps are more than the longest epoch has; of {whole} checkpoints it "
        f"leaves {left}, the pinned and listed ones"
    )
