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

    Args:
        training: The run's settings from now on.
        run: The run directory.
        steps: The schedule's steps in a run of this horizon.
        horizon: How long the run will be.
        epoch: Steps of an epoch, if they were counted.
    """
    from tl_search.plane.revision import step_of
    from tl_search.runs.index import read_index
    from tl_search.runs.states import find_state
    from tl_search.runs.target import Start
    from tl_search.training.extend import extension
    from tl_search.training.optim import horizon_warning
    from tl_search.training.trainer import last_step

    start = step_of(find_state(run, Start.parse(training.resume).state).name) or 0
    there = {line.step for line in read_index(run) if line.step <= horizon.total}
    ahead = {step for step in steps if step > start}
    lines = [
        f"{run} continues from step {start}; of these checkpoints, {len(there)} exist already and "
        f"{len(ahead - there)} are still to come"
    ]
    change = extension(run, training.identity())
    if change is not None:
        before = last_step(change.before["trainer"], epoch or horizon.epoch_ends[0])
        if before != horizon.total:
            lines.append(f"warning: {horizon_warning(start, before, horizon.total, training.lr_policy)}")
    return tuple(sorted(there | ahead)), lines
