"""What a search run found, read from its files alone: `plane.json`, `bandit_state.json` and `result.json`.

Every number of a report comes from here. A run without `result.json` is not finished and has no `outcome`; a file
that is missing or damaged is one line naming it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_search.plane.arm_name import ArmName
from tl_search.plane.pull import Cost
from tl_search.report.outcome import Outcome, read_outcome
from tl_search.store.atomic import read_json


@dataclass(frozen=True)
class Column:
    """A revision of the plane: its name as written, its step, and the tokens seen where they are known."""

    name: str
    step: int
    tokens: int | None = None


@dataclass(frozen=True)
class Task:
    """A task as the search scored it. `revision` is its dataset's, `weight` its part in the objective."""

    name: str
    type: str
    main_score: str
    split: str
    revision: str
    weight: float


@dataclass(frozen=True)
class SearchedPlane:
    """The arms, the tasks, and the cost table that the search was charged by (seconds)."""

    model: str
    columns: tuple[Column, ...]
    n_layers: int
    extraction: Mapping[str, Any]
    tasks: tuple[Task, ...]
    load: float
    embed: Mapping[str, float]
    score: Mapping[str, float]
    exhaustive: Cost
    parameters: int | None = None
    same_split: bool = False

    @property
    def reported_on(self) -> str:
        """What the confirmed scores were measured on, in words."""
        return "the data that it was chosen on, so too high on average" if self.same_split else "held-out data"

    @property
    def shape(self) -> tuple[int, int]:
        """(revisions, layers)"""
        return len(self.columns), self.n_layers + 1

    @property
    def final_last(self) -> ArmName:
        """What people take without a search: the last layer of the final checkpoint."""
        return ArmName(self.columns[-1].name, self.n_layers)

    def at(self, place: ArmName) -> tuple[int, int]:
        """Row and column in arrays of `shape`. Raises ValueError when the plane has no such arm."""
        numbers = {column.name: number for number, column in enumerate(self.columns)}
        if place.revision not in numbers or not 0 <= place.layer <= self.n_layers:
            raise ValueError(f"names {place}, which is not on the plane")
        return numbers[place.revision], place.layer

    def is_control(self, place: ArmName) -> bool:
        """Whether the arm uses nothing learnt about context: layer 0 of any revision, or any layer of step 0."""
        return place.layer == 0 or self.columns[self.at(place)[0]].step == 0


class Belief(NamedTuple):
    """The arm that the policy recommended: its estimated objective and the standard deviation of that, in points."""

    place: ArmName
    mean: float
    sd: float


@dataclass(frozen=True)
class Step:
    """One pull: which arm was scored on which tasks (points), what it cost, and what the policy recommended after it.

    `spent` is the cost of all pulls so far in seconds of the cost table, `share` is that of the exhaustive cost.
    """

    t: int
    place: ArmName
    scores: Mapping[str, float | None]
    cost: Cost
    spent: float
    share: float
    recommended: Belief


@dataclass(frozen=True)
class Findings:
    """A search run, finished or not.

    Args:
        folder: The run's folder.
        plane: What was searched.
        policy: Which policy decided.
        trajectory: Its pulls in order.
        mean: Posterior mean of the objective by (revision, layer); None for policies that have no posterior.
        sd: Its standard deviation.
        stopped: Why the search stopped; None while it goes on.
        outcome: The confirmed result; None when the run is not finished.
        name: The run's name.
        seed: The run's seed.
        versions: Library → version that it ran with.
        checkpoints: Where its revisions come from, as its config says.
    """

    folder: Path
    plane: SearchedPlane
    policy: str
    trajectory: tuple[Step, ...]
    mean: np.ndarray | None
    sd: np.ndarray | None
    stopped: str | None
    outcome: Outcome | None
    name: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    checkpoints: str | None = None

    @property
    def best(self) -> ArmName | None:
        """The confirmed best arm, or the one recommended last; None before the first pull."""
        if self.outcome:
            return self.outcome.best.place
        return self.trajectory[-1].recommended.place if self.trajectory else None


def read_findings(folder: Path) -> Findings:
    """Read a search run. Raises ValueError with one line that names the file that is missing or damaged."""
    with reading(folder / "plane.json") as value:
        plane = _plane(value)
    with reading(folder / "bandit_state.json") as value:
        trajectory = tuple(_step(step, plane) for step in value["trajectory"])
        posterior = value.get("posterior")
        mean, sd = (_array(posterior[key], plane.shape, key) if posterior else None for key in ("mean", "sd"))
        policy, stopped = str(value["policy"]), value.get("stopped")
    outcome = None
    if (folder / "result.json").exists():
        with reading(folder / "result.json") as value:
            outcome = read_outcome(value)
            for place in outcome.places():
                plane.at(place)
    run: Mapping[str, Any] = {}
    if (folder / "run.json").exists():
        with reading(folder / "run.json") as value:
            run = {**value, "versions": {str(key): str(text) for key, text in value.get("versions", {}).items()}}
    return Findings(
        folder=folder,
        plane=plane,
        policy=policy,
        trajectory=trajectory,
        mean=mean,
        sd=sd,
        stopped=None if stopped is None else str(stopped),
        outcome=outcome,
        name=str(run.get("name", folder.name)),
        seed=run.get("seed"),
        versions=run.get("versions", {}),
        checkpoints=_checkpoints(folder / "config.yaml"),
    )


@contextmanager
def reading(path: Path) -> Iterator[Any]:
    """The file's value; whatever goes wrong while it is read becomes one line that names the file."""
    if not path.is_file():
        raise ValueError(f"{path}: missing; is {path.parent} the folder of a search run?")
    value = read_json(path)
    try:
        yield value
    except KeyError as error:
        raise ValueError(f"{path}: damaged, has no entry {error}") from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"{path}: damaged ({error})") from error


def _plane(value: Mapping[str, Any]) -> SearchedPlane:
    columns = tuple(Column(str(entry["name"]), int(entry["step"]), entry.get("tokens")) for entry in value["revisions"])
    if not columns:
        raise ValueError("has no revisions")
    costs, exhaustive = value["costs"], value["exhaustive"]
    return SearchedPlane(
        model=str(value["model"]),
        columns=columns,
        n_layers=int(value["n_layers"]),
        extraction=dict(value["extraction"]),
        tasks=tuple(
            Task(
                str(entry["name"]),
                str(entry["type"]),
                str(entry["main_score"]),
                str(entry["split"]),
                str(entry["revision"]),
                float(value["weights"][entry["name"]]),
            )
            for entry in value["tasks"]
        ),
        load=float(costs["load"]),
        embed={str(task): float(seconds) for task, seconds in costs["embed"].items()},
        score={str(task): float(seconds) for task, seconds in costs["score"].items()},
        exhaustive=Cost(*(float(exhaustive[part]) for part in ("load", "embed", "score"))),
        parameters=value.get("parameters"),
        same_split=bool(value.get("same_split", False)),
    )


def _step(value: Mapping[str, Any], plane: SearchedPlane) -> Step:
    told = value["recommended"]
    step = Step(
        t=int(value["t"]),
        place=ArmName.read(value["arm"]),
        scores={str(task): None if score is None else float(score) for task, score in value["scores"].items()},
        cost=Cost(*(float(value["cost"][part]) for part in ("load", "embed", "score"))),
        spent=float(value["spent"]),
        share=float(value["share"]),
        recommended=Belief(ArmName.read(told["arm"]), float(told["mean"]), float(told["sd"])),
    )
    plane.at(step.place), plane.at(step.recommended.place)
    return step


def _array(rows: Any, shape: tuple[int, int], key: str) -> np.ndarray:
    array = np.array(rows, dtype=float)
    if array.shape != shape:
        raise ValueError(f"posterior.{key} has shape {array.shape}, the plane has {shape}")
    return array


def _checkpoints(path: Path) -> str | None:
    """`checkpoints.path` of the run's config; None when there is no config or it says nothing of a path."""
    from omegaconf import OmegaConf

    if not path.is_file():
        return None
    try:
        config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except Exception as error:  # OmegaConf passes on whatever the YAML reader raises, which has no base of its own
        raise ValueError(f"{path}: damaged ({type(error).__name__})") from error
    checkpoints = config.get("checkpoints") if isinstance(config, dict) else None
    found = checkpoints.get("path") if isinstance(checkpoints, dict) else None
    return None if found is None else str(found)
