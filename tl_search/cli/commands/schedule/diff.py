"""`tl schedule diff A B`: which checkpoints two schedules share, and which only one of them has, in the same run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.cli.commands import train
from tl_search.cli.commands.schedule.file import ScheduleFile, read_schedule
from tl_search.cli.commands.schedule.text import epoch_length, listed
from tl_search.errors.kinds import BadInput
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import named, names
from tl_search.runs.layout import RunPaths

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

FEW = 12  # for so many epochs at most, a line lists where they end


def compare(pair: Sequence[str], training: "TrainingPlan", horizon: Horizon | None) -> list[str]:
    """Lines: the run for which the schedules are computed, and the steps that only one of them has, and both."""
    from tl_search.training.horizon import scheduled_steps

    sides = [(word, _side(word)) for word in pair]
    lines, steps = list[str](), list[set[int]]()
    if any(side.steps is None for _, side in sides):
        horizon, said = _horizon(sides, training, horizon)
        lines.append(said)
    for word, side in sides:
        found = side.steps
        if found is None:
            assert side.schedule is not None
            assert horizon is not None
            try:
                found = scheduled_steps(side.schedule, horizon)
            except ValueError as error:
                raise BadInput(f"diff: {word}: {error}") from error
        steps.append(set(found))
    one, other = steps
    parts = ((f"only in {pair[0]}", one - other), (f"only in {pair[1]}", other - one), ("both", one & other))
    return lines + [f"{name}: {len(found)}" + (f": {listed(sorted(found))}" if found else "") for name, found in parts]


def check_words(pair: Sequence[str]) -> None:
    """Raises ValueError for a word that is neither the name of a schedule nor a file or folder."""
    for word in pair:
        if word not in names() and not Path(word).exists():
            raise ValueError(f"diff: must be a file, a training run or one of {', '.join(names())}, got {word!r}")


def _side(word: str) -> ScheduleFile:
    from tl_search.runs.index import read_index

    path = Path(word)
    try:
        if word in names():
            return ScheduleFile(named(word))
        if not path.is_dir():
            return read_schedule(path)
    except (BadInput, ValueError) as error:
        raise BadInput(f"diff: {error}") from error
    revisions = read_index(path)
    if not revisions:
        raise BadInput(f"diff: {path} is not a training run with revisions (no checkpoints/index.jsonl)")
    return ScheduleFile(None, tuple(revision.step for revision in revisions))


def _horizon(
    sides: Sequence[tuple[str, ScheduleFile]], training: "TrainingPlan", given: Horizon | None
) -> tuple[Horizon, str]:
    """The length of the run that both schedules are computed for, and a line that says where it comes from."""
    from tl_search.training.horizon import horizon_of, measure_epoch

    if given is not None:
        return given, _length(given, "horizon")
    for word, side in sides:
        if side.horizon is not None:
            return side.horizon, _length(side.horizon, word)
    whose = "this command's settings"
    for word, side in sides:
        if side.schedule is None and RunPaths(Path(word)).config.exists():
            training, whose = _recorded(Path(word)), f"the settings of {word}"
            break
    epoch = measure_epoch(training)
    horizon = horizon_of(training, epoch.steps)
    return horizon, f"{epoch_length(epoch)}, the run {horizon.total} ({whose})"


def _length(horizon: Horizon, whose: str) -> str:
    ends = horizon.epoch_ends
    epochs = f"epochs end at {listed(ends)}" if len(ends) <= FEW else f"{len(ends)} epochs"
    return f"The run has {horizon.total} steps, {epochs} ({whose})"


def _recorded(run: Path) -> "TrainingPlan":
    """The settings that a run was trained with. Raises BadInput when they no longer work: its text may be gone."""
    try:
        planned = train.recorded(run)
    except (BadInput, ValueError) as error:
        raise BadInput(f"diff: {run}: {error}; give its length: horizon.total=STEPS") from error
    return planned if planned.cache else replace(planned, cache=RunPaths(run).cache)
