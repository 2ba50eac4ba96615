"""`tl schedule`: at which steps a training run would write checkpoints, and what they would cost."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.commands import Command
from tl_search.cli.compose import quoted
from tl_search.cli.convert import convert
from tl_search.cli.errors import BadInput
from tl_search.cli.schedule_old import old_schedule, read_yaml
from tl_search.cli.schedule_output import SUFFIXES, epoch_lines, listed, summary, written
from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import NAMED
from tl_search.store.atomic import write_bytes

if TYPE_CHECKING:
    from tl_search.training.fit import TrainingPlan
    from tl_search.training.horizon import Epoch


@dataclass(frozen=True)
class SchedulePlan:
    """What is asked about a schedule.

    Args:
        training: The run that it is for.
        horizon: Of the run; None measures it from the text.
        notes: What is to be said of an old file's keys.
        output: File to write the schedule to.
        diff: Two schedules to compare instead.
    """

    training: "TrainingPlan"
    horizon: Horizon | None
    notes: tuple[str, ...]
    output: Path | None
    diff: tuple[str, str] | None


def plan(parts: Mapping[str, Any]) -> SchedulePlan:
    """What is asked, checked as far as can be without reading text. Raises ValueError."""
    from tl_search.cli.train import plan as train
    from tl_search.training.horizon import scheduled_steps

    training, notes = train(parts), list[str]()
    if parts["from"] is not None:
        path = convert(parts["from"], Path, "from")
        if not path.is_file():
            raise ValueError(f"from: there is no file {path}")
        try:
            schedule, notes = old_schedule(read_yaml(path), path)
        except BadInput as error:
            raise BadInput(f"from: {error}") from error
        training = replace(training, schedule=schedule)
    horizon = _horizon(parts["horizon"])
    output = convert(parts["output"], Path | None, "output")
    if output is not None and (output.suffix not in SUFFIXES or output.is_dir()):
        raise ValueError(f"output: must be a file that ends in {', '.join(SUFFIXES)}, got {output}")
    pair = convert(parts["diff"], tuple[str, str] | None, "diff")
    for word in pair or ():
        if word not in NAMED and not Path(word).exists():
            raise ValueError(f"diff: must be a file, a training run or one of {', '.join(NAMED)}, got {word!r}")
    if horizon is not None and pair is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduled_steps(training.schedule, horizon)
    return SchedulePlan(training, horizon, tuple(notes), output, pair)


def execute(plan: SchedulePlan, folder: Path, config: DictConfig) -> int:
    """Print the schedule, or the comparison; write `output`."""
    lines = compare(plan) if plan.diff else describe(plan)
    for line in lines:
        print(line)
    return 0


def describe(plan: SchedulePlan) -> list[str]:
    """The schedule's steps per epoch, and what its checkpoints would cost; writes `output`."""
    from tl_search.training.horizon import Epoch, horizon_of, measure_epoch, scheduled_steps
    from tl_search.training.identity import plain

    lines = [f"note: {note}" for note in plan.notes]
    if plan.horizon is None:
        epoch = measure_epoch(plan.training)
        horizon = horizon_of(plan.training, epoch.steps)
        lines.append(_epoch_length(epoch))
    else:
        horizon, epoch = plan.horizon, Epoch(None, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        steps = scheduled_steps(plan.training.schedule, horizon)
    lines += epoch_lines(steps, horizon)
    lines += [summary(steps), *(f"warning: {warning.message}" for warning in caught)]
    lines += costs(plan.training, steps, horizon, epoch.vocabulary, timed=plan.horizon is None)
    if plan.output is not None:
        write_bytes(plan.output, written(steps, horizon, plain(plan.training.schedule), plan.output.suffix))
        lines.append(f"written to {plan.output}")
    return lines


def costs(
    training: "TrainingPlan", steps: Sequence[int], horizon: Horizon, vocabulary: int | None, timed: bool
) -> list[str]:
    """Lines on disk and time; without the tokenizer's vocabulary the model's size is unknown, and there are none."""
    from tl_search.training import estimate
    from tl_search.training.horizon import tokens_per_step
    from tl_search.training.trainer import device_count

    vocabulary = vocabulary or estimate.vocabulary(training.tokenizer)
    if vocabulary is None:
        return []
    parameters = training.model.parameters(vocabulary)
    weights, state = estimate.revision_bytes(parameters), estimate.state_bytes(parameters, bool(training.ema_decay))
    kept = estimate.states_kept(training, steps)
    lines = [
        f"Disk, an estimate for {_short(parameters)} parameters: "
        f"weights {len(steps)} × {_short(weights)}B = {_short(weights * len(steps))}B, "
        f"full training states at most {kept} × {_short(state)}B = {_short(state * kept)}B"
    ]
    if timed:
        tokens = horizon.total * tokens_per_step(training)
        speed = estimate.machine_speed(training.trainer) * device_count(training.trainer)
        seconds = estimate.training_flops(parameters, tokens) / (speed * estimate.EFFICIENCY)
        lines.append(
            f"Time, an estimate: {_duration(seconds)} for {_short(tokens)} tokens on this machine, if training reaches "
            f"{estimate.EFFICIENCY:.0%} of the {_short(speed)}FLOP/s that it multiplies matrices with"
        )
    return lines


def compare(plan: SchedulePlan) -> list[str]:
    """Which steps are in one schedule only, and which in both."""
    assert plan.diff is not None
    one, other = (set(_steps_of(word, plan)) for word in plan.diff)
    parts = ((f"only in {plan.diff[0]}", one - other), (f"only in {plan.diff[1]}", other - one), ("both", one & other))
    return [f"{name}: {len(steps)}" + (f": {listed(sorted(steps))}" if steps else "") for name, steps in parts]


def _steps_of(word: str, plan: SchedulePlan) -> tuple[int, ...]:
    """The steps that a word of `diff` stands for: an option, a file, or a training run."""
    from tl_search.checkpoints.index import read_index
    from tl_search.training.horizon import horizon_of, measure_epoch, scheduled_steps

    path = Path(word)
    if word in NAMED:
        schedule: Any = NAMED[word]()
    elif path.is_dir():
        revisions = read_index(path)
        if not revisions:
            raise BadInput(f"diff: {path} is not a training run with revisions (no checkpoints/index.jsonl)")
        return tuple(int(revision["step"]) for revision in revisions)
    else:
        content = read_yaml(path)
        if isinstance(content, Mapping) and "steps" in content:
            return convert(content["steps"], tuple[int, ...], f"diff: {path}: steps")
        schedule, _ = old_schedule(content, path)
    horizon = plan.horizon or horizon_of(plan.training, measure_epoch(plan.training).steps)
    return scheduled_steps(schedule, horizon)


def _horizon(node: Mapping[str, Any]) -> Horizon | None:
    total = convert(node.get("total"), int | None, "horizon.total")
    ends = convert(node.get("epoch_ends") or [], tuple[int, ...], "horizon.epoch_ends")
    if total is None and not ends:
        return None
    try:
        return Horizon(max(1, ends[-1]) if total is None else total, ends)
    except ValueError as error:
        raise ValueError(f"horizon.{error}") from error


def _epoch_length(epoch: "Epoch") -> str:
    if epoch.steps is None:
        return f"An epoch's length is unknown ({epoch.estimate}); the run is taken as one epoch"
    if epoch.estimate:
        return f"An epoch has about {epoch.steps} steps (an estimate, {epoch.estimate})"
    return f"An epoch has {epoch.steps} steps"


def _short(number: float) -> str:
    """`1.3 M`, in powers of 1000."""
    power = 0
    while number >= 999.5 and power < 5:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {' kMGTP'[power].strip()}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{max(1, round(seconds))} seconds"


def bare(words: Sequence[str]) -> tuple[str, ...]:
    """`diff A B` as a setting. Raises BadInput for other words."""
    if len(words) != 3 or words[0] != "diff":
        raise BadInput(f"{words[0]}: tl schedule takes settings as key=value, or: diff A B; see tl schedule --help")
    return (f"diff=[{','.join(map(quoted, words[1:]))}]",)


COMMAND = Command(
    name="schedule",
    summary="show at which steps a training run writes checkpoints, and what they cost\n\n"
    "Takes the settings of tl train and trains nothing. Reads the text to count an epoch's steps, unless horizon says\n"
    "how long the run is. `diff A B` compares two schedules: options in their default settings, files that output=\n"
    "wrote or the earlier generator read, or training runs.",
    usage="[SETTING=VALUE ...] | diff A B [SETTING=VALUE ...]",
    examples=(
        ("tl schedule experiments=quickstart/train", "the checkpoints of a study"),
        ("tl schedule schedule=pythia horizon.total=143000", "those of the Pythia suite"),
        ("tl schedule 'horizon.epoch_ends=[333,666,1000]' output=steps.png", "three epochs, with a picture"),
        ("tl schedule from=old.yaml output=steps.yaml", "a file of the earlier generator"),
        ("tl schedule diff log runs/train/RUN", "what a run wrote, beside what log would ask for"),
    ),
    bare=bare,
    plan=plan,
    execute=execute,
)
