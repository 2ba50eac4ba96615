"""A branch and its parent: reads the parent's state, compares the two plans, and records what is taken over."""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from tl_search.plane.curriculum import Curriculum, Stage
from tl_search.runs.identity import differences, flat, plain, typed
from tl_search.runs.parent import Parent
from tl_search.runs.places import put_back
from tl_search.runs.record import RunRecord
from tl_search.runs.states import named_state, states_of, verified, whole
from tl_search.runs.target import Target
from tl_search.text.mix import Mix
from tl_search.training.branch import DataOrder, OnRestore, OptimizerState
from tl_search.training.extend import phases
from tl_search.training.full_state import load_state
from tl_search.training.mix_order import mixed_since, up_to
from tl_search.training.optim import branched_phases, horizon_warning
from tl_search.training.ordered import FROM_THE_START, Origin
from tl_search.training.plan import TrainingPlan
from tl_search.training.start import check_run, check_state
from tl_search.training.terms import as_recorded
from tl_search.training.trainer import last_step

_FORM = "must be RUN@stepN or RUN@best"
# Settings of a plan that decide which blocks of text a step reads, beside those of `data`.
_READING = {"trainer.accumulate_grad_batches", "trainer.devices", "trainer.limit_train_batches"}


@dataclass(frozen=True)
class Source:
    """The state with which a branch begins.

    Args:
        run: The parent's directory.
        record: The parent's `run.json`.
        file: The state's file.
        step: Its completed steps.
    """

    run: Path
    record: RunRecord
    file: Path
    step: int

    @classmethod
    def find(cls, text: str) -> Self:
        """The state that `branch_from` names, once all of its files were read.

        Raises:
            ValueError: it is missing or damaged; the message lists the states that there are.
        """
        target = Target.parse(text)
        with _of_a_branch():
            check_run(target.run)
            if target.name is None:
                names = ", ".join(folder.name for folder, _ in reversed(states_of(target.run)))
                raise ValueError(f"branch_from: {_FORM}, got {text}, which names no state; states: {names or 'none'}")
            file, step = whole(target.run, named_state(target.run, target.name))
            check_state(file, step)
        record = RunRecord.read(target.run)
        assert record is not None
        return cls(target.run, record, file, step)

    @property
    def sha256(self) -> str:
        """Of the state's file, as its manifest says and as it was found."""
        return str(verified(self.file.parent)["files"][self.file.name]["sha256"])

    @property
    def plan(self) -> Mapping[str, Any]:
        """The parent's settings that decide weights and steps."""
        assert self.record.plan is not None
        return self.record.plan

    @property
    def curriculum(self) -> Curriculum:
        """What held in the parent."""
        curriculum = curriculum_of(self.plan)
        if (parent := self.record.parent) and self.plan["branch"]["on_restore"] == OnRestore.skip_passed.value:
            return after_passed(curriculum, parent)
        return curriculum

    def order(self, plan: TrainingPlan) -> Origin:
        """Where the order of the branch's text begins."""
        loader = self._loader()
        if plan.branch.data is DataOrder.restart:  # as the next pass: an epoch that is cut short counts as one
            return Origin(plan.seed, loader["epoch"] + (loader["position"] > 0), self.step)
        known = replace(_begun(self.record.parent), seed=loader["seed"])
        corpus = getattr(plan.data, "corpus", None)
        if not isinstance(corpus, Mix):
            return known
        return replace(known, mixed=up_to(mixed_since(known, self.curriculum, corpus), self.step))

    def held(self) -> dict[str, Any]:
        """What held in the parent at the step: its stage, and the settings of loss terms, where it has any."""
        curriculum = self.curriculum
        stage = curriculum.stage_at(self.step)
        found = {"name": stage.name, "weights": dict(stage.weights), "data": dict(stage.data)}
        return {**found, **({"terms": plain(curriculum.terms)} if curriculum.terms else {})}

    def parent(self, plan: TrainingPlan, total: int) -> Parent:
        """What the record of a branch with this plan, which ends at step `total`, says of its parent."""
        begins = self.record.parent.order["step"] if self.record.parent else 0
        steps_per_epoch = self._loader()["length"] // int(self.plan["trainer"].get("accumulate_grad_batches") or 1)
        known = phases(self.run, last_step(self.plan["trainer"], steps_per_epoch, begins))
        policy, order = plan.branch.lr, self.order(plan)
        held = max((phase for phase in known if phase.start <= self.step), key=lambda phase: phase.start)
        if (planned := held.offset + held.length) != total:
            warnings.warn(horizon_warning(self.step, planned, total, policy, "branch.lr"), stacklevel=2)
        return Parent(
            run=str(self.run.resolve()),
            digest=self.record.digest,
            step=self.step,
            sha256=self.sha256,
            changed={typed(key): values for key, values in changes(self.plan, plan).items()},
            stage=self.held(),
            order=_placed(order, plan.seed),
            mixed=order.mixed,
            phases=tuple(
                (phase.start, phase.offset, phase.length) for phase in branched_phases(known, self.step, total, policy)
            ),
        )

    def _loader(self) -> Mapping[str, int]:
        """What the state says of the place in the text."""
        found: Mapping[str, int] = load_state(self.file)["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]
        return found


@dataclass(frozen=True)
class Lineage:
    """What a run takes over from its parent; nothing, for a run of its own.

    Args:
        plan: The run's plan, with the curriculum that holds in it.
        origin: Where the order of its text begins.
        source: The state that the run has still to begin with; None for a run that has states of its own.
        recorded: What the run's record says of the parent; None for a run that has not begun.
    """

    plan: TrainingPlan
    origin: Origin = FROM_THE_START
    source: Source | None = None
    recorded: Parent | None = None

    @classmethod
    def of(cls, plan: TrainingPlan, run: Path) -> Self:
        """Reads and compares; changes nothing. Raises ValueError when the plan does not fit the parent."""
        if plan.branch_from is None:
            return cls(plan)
        record = RunRecord.read(run)
        parent, begun = record.parent if record else None, bool(states_of(run))
        if parent is None or not begun:
            source = check_branch(plan)
            if parent is not None and parent.sha256 != source.sha256:
                raise ValueError(
                    f"branch_from: {source.file.parent} is not the state that {run} was branched from (sha256 "
                    f"{parent.sha256[:12]}…); use another folder (name=OTHER)"
                )
            origin = source.order(plan)
            held = Parent("", "", source.step, "", {}, source.held(), _placed(origin, plan.seed), ((0, 0, 1),))
        else:
            source, held = None, parent
            origin = _begun(parent)
        if plan.branch.on_restore is OnRestore.skip_passed:
            plan = replace(plan, curriculum=after_passed(plan.curriculum, held))
        return cls(plan, origin, source, parent)

    def steps(self) -> set[int]:
        """The step at which a branch begins, which has a revision whatever the schedule says."""
        return {int(found.step) for found in (self.source, self.recorded) if found is not None}

    def check(self, total: int, text: Mapping[str, str]) -> None:
        """Raises ValueError if the branch has no step to make, or goes on in the order of another text."""
        if self.source is None:
            return
        if total <= self.source.step:
            raise ValueError(f"trainer.max_steps: must be > {self.source.step}, where the branch begins, got {total}")
        known = self.source.record.data
        if self.plan.branch.data is DataOrder.keep and known is not None and known["corpus"] != text["corpus"]:
            raise ValueError(
                f"branch.data: must be restart, since the text is not the one that {self.source.run} is trained on"
            )

    def record(self, run: Path, total: int) -> None:
        """Enter the parent into the run's record, unless it is there."""
        known = RunRecord.read(run)
        if self.source is None or self.recorded is not None or known is None:
            return
        replace(known, parent=self.source.parent(self.plan, total)).write(run)


def _begun(parent: Parent | None) -> Origin:
    """Where the order of a run's text begins, by its record."""
    return Origin(**parent.order, mixed=parent.mixed) if parent else FROM_THE_START


def _placed(origin: Origin, seed: int) -> dict[str, int]:
    """An origin as the record has it; the seed is the run's own where the origin has none."""
    return {"seed": seed if origin.seed is None else origin.seed, "epoch": origin.epoch, "step": origin.step}


def check_branch(plan: TrainingPlan) -> Source:
    """The state with which a branch begins, once its plan was compared with the parent's.

    Raises:
        ValueError: there is no such state, or the plan changes what a branch may not change.
    """
    assert plan.branch_from is not None
    source = Source.find(plan.branch_from)
    before, now = flat(source.plan), flat(_plan_beside(source.plan, plan))
    changed = changes(source.plan, plan)

    def said(keys: list[str]) -> str:
        return differences({key: before.get(key) for key in keys}, {key: now.get(key) for key in keys})

    if found := [key for key in changed if re.match(r"(model|tokenizer)\b", key) and key != "model.dropout"]:
        raise ValueError(
            f"branch_from: {source.run} is of another architecture: {said(found)}; a branch takes over its weights"
        )
    for key in ("ema_decay", "trainer.precision"):
        if key in changed and (key != "ema_decay" or None in changed[key]):
            raise ValueError(f"{key}: must stay as in {source.run}, {changed[key][0]}, got {changed[key][1]}")
    read = [key for key in changed if (key.startswith("data.") and key != "data.validation_batches") or key in _READING]
    if read and plan.branch.data is DataOrder.keep:
        raise ValueError(f"branch.data: must be restart, since the text is read in another way: {said(read)}")
    other = [key for key in changed if key in ("optimizer.class", "optimizer._target_", "optimizer")]
    if other and plan.branch.optimizer is OptimizerState.keep:
        raise ValueError(f"branch.optimizer: must be reset, since the optimizer is another one: {said(other)}")
    most = plan.trainer.get("max_steps") or -1
    if 0 < most <= source.step:
        raise ValueError(f"trainer.max_steps: must be > {source.step}, where the branch begins, got {most}")
    return source


def changes(before: Mapping[str, Any], plan: TrainingPlan) -> dict[str, list[Any]]:
    """Setting → its value in the parent and in the branch. What a branch alone has is no difference."""
    old, new = flat(before), flat(_plan_beside(before, plan))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key) and not key.startswith("branch.")]
    return {key: [old.get(key), new.get(key)] for key in keys}


def _plan_beside(before: Mapping[str, Any], plan: TrainingPlan) -> dict[str, Any]:
    """A branch's plan as the record has it, the places of its text as in the parent's: they are compared by content."""
    found: dict[str, Any] = json.loads(json.dumps(put_back(before, plan.identity())))
    return found


def curriculum_of(plan: Mapping[str, Any]) -> Curriculum:
    """The curriculum in the plan of a run's record."""
    stages = {
        name: Stage(said["name"], said["start"], said["losses"], said.get("data", {}))
        for name, said in plan["curriculum"]["stages"].items()
    }
    return Curriculum(stages, terms=as_recorded(plan["curriculum"].get("terms", {})))


def after_passed(curriculum: Curriculum, parent: Parent) -> Curriculum:
    """What held in the parent, until the first stage that starts after the step of the branch."""
    later = {name: stage for name, stage in curriculum.stages.items() if stage.first > parent.step}
    held = Stage(str(parent.stage["name"]), 0, parent.stage["weights"], parent.stage["data"])
    key = held.name if held.name not in {*later, *(stage.name for stage in later.values())} else f"{held.name}-before"
    terms = {**as_recorded(parent.stage.get("terms", {})), **curriculum.terms}
    return replace(curriculum, stages={key: replace(held, name=key), **later}, terms=terms)


@contextmanager
def _of_a_branch() -> Iterator[None]:
    """What is said of a state that a run would go on from is said of one that a branch begins with."""
    try:
        yield
    except ValueError as error:
        said = str(error).replace("resume: ", "branch_from: ", 1)
        raise ValueError(said.replace("must be a run, RUN@stepN or RUN/checkpoints/stepN", _FORM)) from error
