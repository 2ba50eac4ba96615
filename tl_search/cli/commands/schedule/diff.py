"""`tl schedule diff A B`: which checkpoints are in one schedule only, over the same run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.cli.commands import train
from tl_search.cli.commands.schedule.file import read_schedule
from tl_search.cli.commands.schedule.output import epoch_length, listed
from tl_search.cli.errors import BadInput
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import NAMED, Schedule
from tl_search.runs.layout import RunPaths

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

FEW = 12  # epochs whose ends a line lists


@dataclass(frozen=True)
class Side:
    """What a word of `diff` stands for.

    Args:
        name: As given.
        steps: Its checkpoints, where they are known without a horizon: of a run, and of a file that output= wrote.
        schedule: The rule that asks for them; None for a run.
        horizon: Of the run that such a file was written for.
    """

    name: str
    steps: tuple[int, ...] | None = None
    schedule: Schedule | None = None
    horizon: Horizon | None = None


def compare(pair: Sequence[str], training: "TrainingPlan", horizon: Horizon | None) -> list[str]:
    """Lines: over which run the two are compared, where that matters, and what is in one of them and in both.

    Args:
        pair: The words.
        training: This command's, whose length is taken where neither word nor `horizon` says another.
        horizon: That `horizon.*` gives.
    """
    from tl_search.training.horizon import scheduled_steps

    sides = [_side(word) for word in pair]
    lines, steps = list[str](), list[set[int]]()
    if any(side.steps is None for side in sides):
        horizon, said = _horizon(sides, training, horizon)
        lines.append(said)
    for side in sides:
        if side.steps is not None:
            steps.append(set(side.steps))
            continue
        assert side.schedule is not None
        assert horizon is not None
        try:
            steps.append(set(scheduled_steps(side.schedule, horizon)))
        except ValueError as error:
            raise BadInput(f"diff: {side.name}: {error}") from error
    one, other = steps
    parts = ((f"only in {pair[0]}", one - other), (f"only in {pair[1]}", other - one), ("both", one & other))
    return lines + [f"{name}: {len(found)}" + (f": {listed(sorted(found))}" if found else "") for name, found in parts]


def check_words(pair: Sequence[str]) -> None:
    """Raises ValueError for a word that stands for nothing."""
    for word in pair:
        if word not in NAMED and not Path(word).exists():
            raise ValueError(f"diff: must be a file, a training run or one of {', '.join(NAMED)}, got {word!r}")


def _side(word: str) -> Side:
    from tl_search.runs.index import read_index

    path = Path(word)
    if word in NAMED:
        return Side(word, schedule=NAMED[word]())
    if not path.is_dir():
        try:
            found = read_schedule(path)
        except BadInput as error:
            raise BadInput(f"diff: {error}") from error
        return Side(word, found.steps, found.schedule, found.horizon)
    revisions = read_index(path)
    if not revisions:
        raise BadInput(f"diff: {path} is not a training run with revisions (no checkpoints/index.jsonl)")
    return Side(word, tuple(int(revision["step"]) for revision in revisions))


def _horizon(sides: Sequence[Side], training: "TrainingPlan", given: Horizon | None) -> tuple[Horizon, str]:
    """The run that both sides are taken for, and a line on it: the first that says so of settings, files and runs."""
    from tl_search.training.horizon import horizon_of, measure_epoch

    if given is not None:
        return given, _length(given, "horizon")
    for side in sides:
        if side.horizon is not None:
            return side.horizon, _length(side.horizon, side.name)
    whose = "this command's settings"
    for side in sides:
        if side.schedule is None and RunPaths(Path(side.name)).config.is_file():
            training, whose = _recorded(Path(side.name)), f"the settings of {side.name}"
            break
    epoch = measure_epoch(training)
    horizon = horizon_of(training, epoch.steps)
    return horizon, f"{epoch_length(epoch)}, the run {horizon.total} ({whose})"


def _length(horizon: Horizon, whose: str) -> str:
    ends = horizon.epoch_ends
    epochs = f"epochs end at {listed(ends)}" if len(ends) <= FEW else f"{len(ends)} epochs"
    return f"The run has {horizon.total} steps, {epochs} ({whose})"


def _recorded(run: Path) -> "TrainingPlan":
    """How a run was trained. Raises BadInput when that cannot be carried out again, as without its text."""
    try:
        planned = train.recorded(run)
    except (BadInput, ValueError) as error:
        raise BadInput(f"diff: {run}: {error}; give its length: horizon.total=STEPS") from error
    return planned if planned.cache else replace(planned, cache=RunPaths(run).cache)
