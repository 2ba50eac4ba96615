"""`tl schedule resume=RUN …`: the checkpoints of a training run that continues with another length or schedule."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.plane.horizon import Horizon

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan


def extended(
    training: "TrainingPlan", run: Path, steps: Sequence[int], horizon: Horizon, epoch: int | None
) -> tuple[tuple[int, ...], list[str]]:
    """All steps that the run will have checkpoints at, and lines on those that exist and on the learning rate.

    `steps` are the schedule's in a run of this horizon; `epoch` is how many an epoch has, if they were counted.
    """
    from tl_search.plane.revision import step_of
    from tl_search.runs.index import read_index
    from tl_search.runs.states import find_state
    from tl_search.runs.target import Start
    from tl_search.training.extend import extension
    from tl_search.training.optim import horizon_warning
    from tl_search.training.trainer import last_step

    start = step_of(find_state(run, Start.parse(training.resume).state).name) or 0
    there = {int(revision["step"]) for revision in read_index(run) if revision["step"] <= horizon.total}
    ahead = {step for step in steps if step > start}
    lines = [
        f"{run} goes on from step {start}; of these checkpoints, {len(there)} exist already and "
        f"{len(ahead - there)} are still to come"
    ]
    change = extension(run, training.identity())
    if change is not None:
        before = last_step(change.before["trainer"], epoch or horizon.epoch_ends[0])
        if before != horizon.total:
            lines.append(f"warning: {horizon_warning(start, before, horizon.total, training.lr_policy)}")
    return tuple(sorted(there | ahead)), lines
