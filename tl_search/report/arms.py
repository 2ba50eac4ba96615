"""Branches of one state as arms of a comparison: which runs each has, what they measured, and which have diverged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tl_search.report.branch_curves import EVAL_LOSS, BranchCurves, read_branch
from tl_search.report.metric import Metric, metric_of
from tl_search.runs.identity import flat, typed
from tl_search.runs.layout import RunPaths
from tl_search.runs.record import Diverged, Done, RunRecord
from tl_search.runs.settings import read_settings
from tl_search.runs.state import DIVERGED, DONE, state_of
from tl_search.store.keys import digest


@dataclass(frozen=True)
class ArmRun:
    """One branch, finished or diverged.

    Args:
        folder: Its directory.
        seed: Random seed.
        values: Step → value of the measurement that is compared, from the step of the branch on.
        best: The best of all values; of the eval loss, also of those that only the index of revisions knows; None for a
            run without values.
        tokens: Step → training tokens seen, where they were recorded.
        stages: First step → name of each stage that begins at the branch or after it.
        diverged: How the run has ended, where its loss or weights are no longer finite; None for a finished run.
    """

    folder: Path
    seed: int
    values: Mapping[int, float]
    best: float | None
    tokens: Mapping[int, int]
    stages: Mapping[int, str]
    diverged: Diverged | None = None


@dataclass(frozen=True)
class CurriculumArm:
    """The branches that differ in nothing but the seed.

    Args:
        name: The curriculum's name. Where another arm has the same, it ends with the setting in which they differ, or,
            where these are several, with the beginning of a digest.
        runs: Seed → branch.
        planned: Stage → what the plan of the runs says of it.
    """

    name: str
    runs: Mapping[int, ArmRun]
    planned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def finished(self) -> Mapping[int, ArmRun]:
        return {seed: run for seed, run in self.runs.items() if run.diverged is None}

    @property
    def diverged(self) -> Mapping[int, ArmRun]:
        return {seed: run for seed, run in self.runs.items() if run.diverged is not None}

    @property
    def stages(self) -> Mapping[int, str]:
        """Where stages begin; runs that ended early may not have come to all of them."""
        return dict(sorted({at: name for run in self.runs.values() for at, name in run.stages.items()}.items()))


@dataclass(frozen=True)
class Arms:
    """Arms that were branched from one state.

    Args:
        parent: The run that they were branched from.
        step: Of the branches.
        metric: What is compared.
        arms: The first one is what the others are compared with.
        end: The step at which final values are compared: the last one that all finished runs have.
        full: Steps for which the parent was planned; None where that is not known any more.
        unfinished: Runs that were left out, and why.
    """

    parent: Path
    step: int
    metric: Metric
    arms: tuple[CurriculumArm, ...]
    end: int
    full: int | None
    unfinished: Mapping[str, str]

    @property
    def runs(self) -> list[ArmRun]:
        return [run for arm in self.arms for run in arm.runs.values()]

    @property
    def measured(self) -> list[int]:
        """All steps after the branch at which some run was measured."""
        return sorted({at for run in self.runs for at in run.values if at > self.step})


def read_arms(
    runs: Sequence[Path], names: Sequence[str] | None = None, metric: str = EVAL_LOSS, mode: str | None = None
) -> Arms:
    """The arms that these branches make up, in the order in which they are named.

    Args:
        runs: Branches of one state.
        names: The arm of each, by its name; None finds the arms by their settings.
        metric: The measurement that is compared.
        mode: `min` or `max`: whether less or more of it is better; None finds that out.

    Raises:
        ValueError: one is no branch, they are of different states, have not the measurement, or none is finished.
    """
    groups: dict[str, dict[int, ArmRun]] = {}
    known: dict[str, str] = {}
    plans: dict[str, Mapping[str, Any]] = {}
    states: dict[tuple[str, int], Path] = {}
    unfinished: dict[str, str] = {}
    there = list(dict.fromkeys(path.resolve() for path in runs))
    curves = {run: read_branch(run, _record(run)) for run in there if _is_over(run)}
    compared = metric_of(metric, mode, curves)
    for run in there:
        record = _record(run)
        assert record.parent is not None
        assert record.plan is not None
        states[record.parent.sha256, record.parent.step] = record.parent.folder
        own = [number for number, path in enumerate(runs) if path.resolve() == run]
        plain = digest({name: value for name, value in record.plan.items() if name != "seed"})
        for key in [names[number] for number in own] if names else [plain]:
            known[key], plans[key] = key if names else _name(run), record.plan
            if run not in curves:
                unfinished[str(run)] = state_of(run)
            else:
                seed = int(record.seed or 0)
                groups.setdefault(key, {})[seed] = _arm_run(run, seed, curves[run], compared)
    if len(states) > 1:
        told = ", ".join(f"{folder}@step{step}" for (_, step), folder in states.items())
        raise ValueError(f"runs: must be branches of one state, got branches of {told}")
    called = _told_apart(known, plans)
    order = [key for key in dict.fromkeys(names or known) if key in groups]
    arms = tuple(CurriculumArm(called[key], groups[key], _stages(plans[key])) for key in order)
    ((_, step), parent) = next(iter(states.items()))
    return Arms(parent, step, compared, arms, _end(arms, step), _planned(parent), unfinished)


def _told_apart(known: Mapping[str, str], plans: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Arm → a name that no other arm has."""
    found = dict(known)
    for name in set(known.values()):
        alike = {key: flat(plans[key]) for key, own in known.items() if own == name}
        leaves = {leaf for plan in alike.values() for leaf in plan if leaf != "seed"}
        other = [leaf for leaf in leaves if len({str(plan.get(leaf)) for plan in alike.values()}) > 1]
        for key, plan in alike.items() if len(alike) > 1 else ():
            values = [str(each.get(other[0])) for each in alike.values()] if len(other) == 1 else []
            apart = len({*values}) == len(alike)
            found[key] = (
                f"{name} {typed(other[0]).rpartition('.')[2]}={plan.get(other[0])}" if apart else f"{name}-{key[:4]}"
            )
    return found


def _stages(plan: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(stage["name"]): stage for stage in plan["curriculum"]["stages"].values()}


def _record(run: Path) -> RunRecord:
    record = RunRecord.read(run)
    if record is None or record.parent is None or record.plan is None:
        raise ValueError(f"runs: must be branches of one state (branch_from=RUN@stepN), got {run}, which is none")
    return record


def _is_over(run: Path) -> bool:
    return state_of(run) in (DONE, DIVERGED)


def _arm_run(run: Path, seed: int, curves: BranchCurves, metric: Metric) -> ArmRun:
    values = curves.values.get(metric.name, {})
    diverged = None if state_of(run) == DONE else Diverged.read(run)
    if not values and diverged is None:
        held_out = " (data.validation_share=0?)" if metric.name == EVAL_LOSS else ""
        raise ValueError(f"metric: must be measured in every run, got {metric.name}, which {run} has not{held_out}")
    every = [*values.values(), *([curves.lowest] if metric.name == EVAL_LOSS and curves.lowest is not None else [])]
    best = metric.best(every) if every else None
    return ArmRun(run, seed, values, best, curves.tokens, curves.stages, diverged)


def _end(arms: Sequence[CurriculumArm], step: int) -> int:
    """The last step at which all finished runs were measured."""
    finished = [run for arm in arms for run in arm.finished.values()]
    if not finished:
        why = "all have diverged" if arms else "none is finished"
        raise ValueError(f"runs: must hold a finished branch, but {why}")
    common = set.intersection(*({*run.values} for run in finished)) - {step}
    if not common:
        raise ValueError("runs: must be measured at a step that all finished ones have reached, after their branch")
    return max(common)


def _planned(parent: Path) -> int | None:
    """The steps for which a run was planned; of one that counts epochs, those that it has made."""
    record = RunRecord.read(parent) if parent.is_dir() else None
    if record is None or record.plan is None:
        return None
    most, done = record.plan["trainer"].get("max_steps"), Done.read(parent)
    if isinstance(most, int) and most > 0:
        return most
    return int(done.facts["step"]) if done is not None and "step" in done.facts else None


def _name(run: Path) -> str:
    """What the curriculum of a run is called."""
    config: Any = read_settings(run) if RunPaths(run).config.is_file() else {}
    return str((config.get("curriculum") or {}).get("name") or "curriculum")
