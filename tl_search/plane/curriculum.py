"""What holds at a step of training: which losses count, how much, and what the batches are like."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from tl_search.errors.limits import LARGEST_RATE, MOST_STEPS, between, not_negative

CURRENT = "current"  # the option that stands for the curriculum of the checkpoint from which a training goes on


@dataclass(frozen=True)
class Stage:
    """A span of steps in which loss weights and data parameters stay the same.

    A stage says all that holds in it: a term that it does not name has the weight 0, and a data parameter that it does
    not name has its default. It takes nothing over from the stage before it.

    Args:
        name: Name of the stage in manifests, curves and in the index of revisions; empty is its key in the curriculum.
        start: First step at which it holds; None is the step at which the stage before it ends.
        weights: Loss term → weight, >= 0; a term is named after its module in `training/losses/`.
        data: Data parameter → value, or a mapping of names to values; which ones there are, the data module says
            (`training/stage_data.py`).
        steps: Length in steps; None reaches to the start of the next stage. The last stage holds to the end of the run.
    """

    name: str = ""
    start: int | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: {"next_token": 1.0})
    data: Mapping[str, int | float | Mapping[str, float | None] | None] = field(default_factory=dict)
    steps: int | None = None

    DECIDES: ClassVar = {"weights": "name start weights data steps"}
    ADDED: ClassVar[Mapping[str, Any]] = {"data": {}, "steps": None}
    FIRST: ClassVar = {"weights": "losses"}  # how a run's record names a field

    def __post_init__(self) -> None:
        between(0, MOST_STEPS, start=self.start)
        between(1, MOST_STEPS, steps=self.steps)
        not_negative(LARGEST_RATE, **{f"weights.{term}": weight for term, weight in self.weights.items()})

    @property
    def first(self) -> int:
        """The first step at which it holds, of a stage in a curriculum."""
        return self.start or 0


@dataclass(frozen=True)
class Curriculum:
    """Stages in order. The stage is a function of the step alone, so a resumed run is in the right one.

    The stages are kept by their first steps, which a length only helps to write down: two curricula that mean the same
    are equal, however they were given.

    Args:
        stages: Name → stage, in the order of training; the first starts at step 0.
        name: What the curriculum is called in curves, states and reports; it decides nothing.
        terms: Loss term → its settings, an object of the term's class; they are the same in all stages. A term that is
            left out has its defaults.

    Raises:
        ValueError: there is no stage, or two overlap or have steps between them.
    """

    stages: Mapping[str, Stage]
    name: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)

    DECIDES: ClassVar = {"weights": "stages terms", "free": "name"}
    ADDED: ClassVar[Mapping[str, Any]] = {"terms": {}}

    def __post_init__(self) -> None:
        if not self.stages:
            what = f"; {CURRENT} means those of the checkpoint that resume=RUN or branch_from=RUN@stepN names"
            raise ValueError(f"stages: must hold a stage, got none{what if self.name == CURRENT else ''}")
        found: dict[str, Stage] = {}
        end: int | None = 0  # the step at which the next stage has to start; None where a start must say it
        before = ""
        for key, stage in self.stages.items():
            start = end if stage.start is None else stage.start
            if start is None:
                raise ValueError(f"stages.{before}.steps: must be given, since stages.{key}.start is null")
            if end is not None and start != end:
                raise ValueError(_misplaced(key, start, before, end))
            if end is None and start <= found[before].first:
                raise ValueError(
                    f"stages.{key}.start: must be > {found[before].first}, where {before} starts, got {start}"
                )
            found[key] = replace(stage, name=stage.name or key, start=start, data=_said(stage.data), steps=None)
            end, before = (None if stage.steps is None else start + stage.steps), key
        object.__setattr__(self, "stages", found)

    def stage_at(self, step: int) -> Stage:
        """The stage after `step` completed optimizer steps: the last one whose start is not beyond `step`.

        The update that turns step 9 into step 10 belongs to the stage at step 9.
        """
        return [*self.stages.values()][self.index_at(step)]

    def index_at(self, step: int) -> int:
        """The place of that stage among the stages, from 0."""
        return bisect_right([stage.first for stage in self.stages.values()], step) - 1


def _said(data: Mapping[str, Any]) -> dict[str, Any]:
    """Data parameters without those that are null, which stand for their defaults."""
    return {
        name: _said(value) if isinstance(value, Mapping) else value for name, value in data.items() if value is not None
    }


def _misplaced(key: str, start: int, before: str, end: int) -> str:
    if not before:
        return f"stages.{key}.start: must be 0 for the first stage, or null, got {start}"
    what = "overlaps with" if start < end else f"leaves {start - end} steps without a stage after"
    return f"stages.{key}.start: {what} {before}, which ends at step {end}, got {start}; null starts it there"


def placed(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A curriculum's node of a config with everything said that a stage may leave out, as digests know it.

    A node that is no curriculum yet, or not one that can be built, is given back as it is.
    """
    stages = node.get("stages")
    if not isinstance(stages, Mapping) or not all(isinstance(stage, Mapping) for stage in stages.values()):
        return node
    found: dict[str, Any] = {}
    end: Any = 0
    for key, stage in stages.items():
        start, steps = stage.get("start"), stage.get("steps")
        start = end if start is None else start
        if not isinstance(start, int):
            return node
        known = {"_target_": f"{Stage.__module__}.{Stage.__qualname__}", **stage, "name": stage.get("name") or key}
        data = stage.get("data") or {}
        said = _said(data) if isinstance(data, Mapping) else data
        found[str(key)] = {"weights": {"next_token": 1.0}, **known, "data": said, "start": start, "steps": None}
        end = start + steps if isinstance(steps, int) else None
    return {**node, "stages": found}
