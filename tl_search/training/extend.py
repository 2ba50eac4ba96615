"""A run that continues with other settings than it was started with: which may change, and how they are recorded.

`run.json` keeps the plan that holds now, and `history`: one entry per change, with the step from which it holds. The
learning rate is a function of that history, so that an extended run resumes like any other.
"""

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tl_search.runs.identity import Decides, as_recorded, decisions, differences, flat
from tl_search.runs.layout import RunPaths
from tl_search.runs.places import moved
from tl_search.runs.record import Done, RunRecord
from tl_search.store.keys import digest
from tl_search.text.corpus import Reading, fingerprint
from tl_search.training.optim import LrPolicy, Phase, horizon_warning, phases_of
from tl_search.training.packing import rules_of
from tl_search.training.plan import TrainingPlan
from tl_search.training.tokens import digest_of
from tl_search.training.trainer import STEPS, last_step

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extension:
    """A plan (`now`) that differs from the one in a run's record (`before`), in what may differ."""

    before: Mapping[str, Any]
    now: Mapping[str, Any]

    @property
    def changed(self) -> dict[str, list[Any]]:
        """Setting → its value before and now."""
        old, new = flat(self.before), flat(self.now)
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return {key: [old.get(key), new.get(key)] for key in keys}

    def record(self, run: Path, step: int, steps_per_epoch: int, policy: LrPolicy, begins: int = 0) -> None:
        """Make it the run's plan from `step` on; `begins` is as in `last_step`."""
        totals = [last_step(plan["trainer"], steps_per_epoch, begins) for plan in (self.before, self.now)]
        entry = {"step": step, "changed": self.changed, "lr_policy": policy.value, "total": totals}
        known = RunRecord.read(run)
        assert known is not None
        replace(known, plan=self.now, history=(*known.history, entry)).write(run)
        # after the record: a kill in between leaves a DONE.json whose digest is another plan's
        RunPaths(run).done.unlink(missing_ok=True)
        if totals[0] != totals[1]:
            warnings.warn(horizon_warning(step, totals[0], totals[1], policy), stacklevel=2)


def extension(run: Path, identity: Mapping[str, Any]) -> Extension | None:
    """What a plan changes of the run's; None when it is the recorded one.

    Raises:
        ValueError: it changes what decides the weights of steps that are done.
    """
    record = RunRecord.read(run)
    before = record.plan if record else None
    now = json.loads(json.dumps(as_recorded(run, identity)))
    if before is None or before == now:
        return None
    found = Extension(before, now)
    refused = [key for key in found.changed if not _may_change(key)]
    if refused:
        old, new = ({key: flat(plan).get(key) for key in refused} for plan in (found.before, found.now))
        raise ValueError(
            f"run: {run} was started with another configuration: {differences(old, new)}; of the settings of "
            "a run, only its length, schedule, callbacks and logger may change"
        )
    return found


def _may_change(key: str) -> bool:
    """Whether a run can continue with another value of a setting of its plan, such as `schedule.log_base`."""
    part, _, rest = key.partition(".")
    return rest in STEPS if part == "trainer" else decisions(TrainingPlan).get(part) is Decides.steps


def is_done(run: Path, plan: Mapping[str, Any]) -> bool:
    """Whether a run has been trained to the end of this very plan."""
    done = Done.read(run)
    return done is not None and done.facts.get("digest") == digest(as_recorded(run, plan))


def check_length(run: Path, trainer: Mapping[str, Any], total: int, done: int) -> None:
    """Raises ValueError when a changed plan, which ends at step `total`, leaves nothing to do."""
    if total > done:
        return
    steps = trainer.get("max_steps") or -1
    if steps == total:
        raise ValueError(
            f"trainer.max_steps: {run} is already at step {done} >= max_steps {total}, so nothing is left to do"
        )
    way = f", or null, so that the run ends at max_steps {steps}" if steps > done else ""
    raise ValueError(
        f"trainer.max_epochs: {run} is already at step {done}, and max_epochs {trainer['max_epochs']} ends at {total}; "
        f"set a higher trainer.max_epochs{way}"
    )


def check_text(run: Path, plan: TrainingPlan) -> None:
    """What lies in another place than a run's record says must be what the run was trained on. Raises ValueError."""
    record, now = RunRecord.read(run), plan.identity()
    if record is None or record.plan is None or record.data is None:
        return
    for place in moved(record.plan, now):
        if place.startswith("data."):
            part, found = "corpus", fingerprint(Reading(plan.data.corpus, rules_of(record.data)))[0]
        else:
            part, found = "tokenizer", digest_of(plan.tokenizer.build(()), rules_of(record.data))
        if found != record.data[part]:
            was, new = flat(record.plan)[place], flat(now)[place]
            raise ValueError(
                f"{place}: must be the {part} that {run} was trained with, {was}; got another one in {new}"
            )


def check_same_text(run: Path, plan: TrainingPlan) -> None:
    """The text of a finished run must still be what it was trained on. Raises ValueError.

    Text that would have to be downloaded is not compared, which is said.
    """
    record = RunRecord.read(run)
    if record is None or record.data is None:
        return
    if plan.data.corpus.remote is not None:
        log.info("%s: its text was not compared with %s", run, plan.data.corpus.remote)
    elif fingerprint(Reading(plan.data.corpus, rules_of(record.data)))[0] != record.data["corpus"]:
        raise ValueError(
            f"data.corpus: must be the text that {run} was trained with, got text that was changed since; "
            "to train with it, use another folder (name=OTHER)"
        )


def phases(run: Path, total: int) -> tuple[Phase, ...]:
    """The learning rate of a run of `total` steps, as its history has it."""
    record = RunRecord.read(run)
    inherited = record.parent.phases if record and record.parent else ()
    return phases_of(record.history if record else (), total, [Phase(*phase) for phase in inherited])
