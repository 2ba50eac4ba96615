"""`tl schedule resume=RUN …`: the checkpoints of a run that goes on with another length or schedule."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.plane.horizon import Horizon

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan


def extended(
    training: "TrainingPlan", run: Path, steps: Sequence[int], horizon: Horizon, epoch: int | None
) -> tuple[tuple[int, ...], list[str]]:
    """The run's checkpoints in the end, and lines on what is there already and on the learning rate.

    Args:
        training: How the run goes on.
        run: Its directory.
        steps: What the schedule asks for in a run of this horizon.
        horizon: Of the run, once it has gone on.
        epoch: Steps of an epoch, where they were counted.
    """
    from tl_search.checkpoints.index import read_index
    from tl_search.plane.revision import step_of
    from tl_search.training.extend import extension
    from tl_search.training.optim import horizon_warning
    from tl_search.training.rewind import Target, state_folder
    from tl_search.training.trainer import last_step

    start = step_of(state_folder(run, Target.parse(training.resume).state).name) or 0
    there = {int(revision["step"]) for revision in read_index(run) if revision["step"] <= horizon.total}
    ahead = {step for step in steps if step > start}
    lines = [
        f"{run} goes on from step {start}; of these checkpoints there already: {len(there)}, "
        f"still to come: {len(ahead - there)}"
    ]
    change = extension(run, training.identity())
    if change is not None:
        before = last_step(change.before["trainer"], epoch or horizon.epoch_ends[0])
        if before != horizon.total:
            lines.append(f"warning: {horizon_warning(start, before, horizon.total, training.lr_policy)}")
    return tuple(sorted(there | ahead)), lines
