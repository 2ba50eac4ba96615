"""Branches of one state as arms of a comparison: which seeds each has, and the eval loss of every run by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tl_search.report.paired import Difference, difference
from tl_search.report.tensorboard import read_curve
from tl_search.runs.index import read_index
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import RunRecord
from tl_search.runs.settings import read_settings
from tl_search.runs.state import DONE, state_of
from tl_search.store.keys import digest

LEVEL = 0.95


@dataclass(frozen=True)
class ArmRun:
    """One branch.

    Args:
        folder: Its directory.
        seed: Random seed.
        losses: Step → eval loss of the revisions and of what TensorBoard's files have beside them.
        stages: First step → name of each stage that begins after the branch.
        lowest: The lowest eval loss of the run.
    """

    folder: Path
    seed: int
    losses: Mapping[int, float]
    stages: Mapping[int, str]
    lowest: float

    @property
    def last(self) -> int:
        return max(self.losses)


@dataclass(frozen=True)
class CurriculumArm:
    """The branches that differ in nothing but the seed.

    Args:
        name: The curriculum's name, with the beginning of a digest where another arm has the same.
        runs: Seed → branch.
    """

    name: str
    runs: Mapping[int, ArmRun]


@dataclass(frozen=True)
class Comparison:
    """Arms that were branched from one state.

    Args:
        parent: The run that they were branched from.
        step: Of the branches.
        arms: The first one is what the others are compared with.
        end: The step at which final losses are compared: the last that all runs have.
        unfinished: Runs that were left out, and why.
    """

    parent: Path
    step: int
    arms: tuple[CurriculumArm, ...]
    end: int
    unfinished: Mapping[str, str]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those that all arms have."""
        return tuple(sorted(set.intersection(*(set(arm.runs) for arm in self.arms))))

    @property
    def level(self) -> float:
        """Level of each interval, so that all of them hold together (Bonferroni)."""
        return 1 - (1 - LEVEL) / max(1, len(self.arms) - 1)

    def finals(self, arm: CurriculumArm) -> list[float]:
        """The eval loss of each common seed at the step `end`."""
        return [arm.runs[seed].losses[self.end] for seed in self.seeds]

    def lowest(self, arm: CurriculumArm) -> list[float]:
        """The lowest eval loss of each common seed."""
        return [arm.runs[seed].lowest for seed in self.seeds]

    def against_first(self, arm: CurriculumArm) -> tuple[Difference, Difference]:
        """The differences to the first arm: of the final losses, and of the lowest ones."""
        pairs = [(self.finals(arm), self.finals(self.arms[0])), (self.lowest(arm), self.lowest(self.arms[0]))]
        final, lowest = (difference(mine, others, self.level) for mine, others in pairs)
        return final, lowest

    def winner(self) -> CurriculumArm | None:
        """The arm with the lowest mean final loss, if it is shown to be lower than the first arm's, or is the first
        arm and all others are shown to be higher; else None."""
        gaps = {arm.name: self.against_first(arm)[0] for arm in self.arms[1:]}
        better = [arm for arm in self.arms[1:] if gaps[arm.name].shown and gaps[arm.name].mean < 0]
        if better:
            return min(better, key=lambda arm: gaps[arm.name].mean)
        return self.arms[0] if gaps and all(gap.shown for gap in gaps.values()) else None


def read_comparison(runs: Sequence[Path], names: Sequence[str] | None = None) -> Comparison:
    """The arms that these branches make up, in the order in which they are named.

    Args:
        runs: Branches of one state.
        names: The arm of each, by its name; None finds the arms by their settings.

    Raises:
        ValueError: one is no branch, they are of different states, or no seed and step is common to all arms.
    """
    groups: dict[str, dict[int, ArmRun]] = {}
    known: dict[str, str] = {}
    states: dict[tuple[str, int], Path] = {}
    unfinished: dict[str, str] = {}
    for number, run in enumerate(path.resolve() for path in runs):
        record = RunRecord.read(run)
        if record is None or record.parent is None or record.plan is None:
            raise ValueError(f"runs: must be branches of one state (branch_from=RUN@stepN), got {run}, which is none")
        states[record.parent.sha256, record.parent.step] = record.parent.folder
        key = names[number] if names else digest({name: x for name, x in record.plan.items() if name != "seed"})
        known[key] = key if names else _name(run)
        if (state := state_of(run)) != DONE:
            unfinished[str(run)] = state
        else:
            groups.setdefault(key, {})[int(record.seed or 0)] = _read(run, int(record.seed or 0), record)
    if len(states) > 1:
        told = ", ".join(f"{folder}@step{step}" for (_, step), folder in states.items())
        raise ValueError(f"runs: must be branches of one state, got branches of {told}")
    if not groups:
        raise ValueError(f"runs: must hold a finished branch, got {', '.join(unfinished) or 'none'}")
    double = {name for name in known.values() if list(known.values()).count(name) > 1}
    arms = tuple(
        CurriculumArm(f"{known[key]}-{key[:4]}" if known[key] in double else known[key], group)
        for key, group in groups.items()
    )
    ((_, step), parent) = next(iter(states.items()))
    found = Comparison(parent, step, arms, 0, unfinished)
    if not found.seeds:
        raise ValueError(f"runs: must have a seed in common, got {_told(arms)}")
    common = set.intersection(*({*arm.runs[seed].losses} for arm in arms for seed in found.seeds))
    if not common - {step}:
        raise ValueError("runs: must have an eval loss at a step that all of them have reached, after their branch")
    return Comparison(parent, step, arms, max(common), unfinished)


def _told(arms: Sequence[CurriculumArm]) -> str:
    return "; ".join(f"{arm.name}: {', '.join(map(str, sorted(arm.runs)))}" for arm in arms)


def _name(run: Path) -> str:
    """What the curriculum of a run is called."""
    config: Any = read_settings(run) if RunPaths(run).config.is_file() else {}
    return str((config.get("curriculum") or {}).get("name") or "curriculum")


def _read(run: Path, seed: int, record: RunRecord) -> ArmRun:
    assert record.plan is not None
    assert record.parent is not None
    step = record.parent.step
    planned = record.plan["curriculum"]["stages"].values()
    stages = {int(stage["start"]): str(stage["name"]) for stage in planned if stage["start"] > step}
    lines = [line for line in read_index(run) if line.step >= step]
    losses = {line.step: line.eval_loss for line in lines if line.eval_loss is not None}
    losses |= {at: value for at, value in read_curve(RunPaths(run).tensorboard, "eval/loss").items() if at >= step}
    if not losses:
        raise ValueError(f"runs: must have eval losses, got {run}, which has none (data.validation_share=0?)")
    best = min([*losses.values(), *(line.best for line in lines if line.best is not None)])
    return ArmRun(run, seed, dict(sorted(losses.items())), stages, best)
