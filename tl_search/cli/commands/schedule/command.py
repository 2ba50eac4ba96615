"""The command `tl schedule`: checks its settings, and prints and writes a schedule."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.commands import train
from tl_search.cli.commands.schedule.costs import costs
from tl_search.cli.commands.schedule.diff import check_words, compare
from tl_search.cli.commands.schedule.extension import extended
from tl_search.cli.commands.schedule.file import SUFFIXES, given_horizon, read_schedule, written
from tl_search.cli.commands.schedule.text import epoch_length, epoch_lines, rule_lines, summary
from tl_search.cli.config.compose import quoted
from tl_search.cli.config.convert import convert
from tl_search.errors.exit_codes import DONE
from tl_search.errors.kinds import BadInput
from tl_search.errors.printable import printable
from tl_search.plane.horizon import Horizon
from tl_search.runs.target import Start
from tl_search.store.atomic import write_bytes

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan


@dataclass(frozen=True)
class SchedulePlan:
    """What the command has to do."""

    training: "TrainingPlan"
    horizon: Horizon | None
    notes: tuple[str, ...]
    output: Path | None
    diff: tuple[str, str] | None


def plan(parts: Mapping[str, Any]) -> SchedulePlan:
    """What the settings ask for, checked as far as possible without reading the training text. Raises ValueError."""
    from tl_search.training.horizon import scheduled_steps

    horizon, notes = given_horizon(parts["horizon"]), tuple[str, ...]()
    if horizon is not None and isinstance(parts["trainer"], Mapping):
        parts = {**parts, "trainer": {**parts["trainer"], "max_steps": horizon.total, "max_epochs": None}}
    source, output = (convert(parts[key], Path | None, key) for key in ("from", "output"))
    pair = convert(parts["diff"], tuple[str, str] | None, "diff")
    _check_use(source, output, pair)
    training = train.plan(parts)
    if source is not None:
        try:
            found = read_schedule(source)
        except BadInput as error:
            raise BadInput(f"from: {error}") from error
        assert found.schedule is not None  # a file has one
        training, notes = replace(training, schedule=found.schedule), found.notes
    if horizon is not None and pair is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduled_steps(training.schedule, horizon)
    return SchedulePlan(training, horizon, notes, output, pair)


def _check_use(source: Path | None, output: Path | None, pair: tuple[str, str] | None) -> None:
    """Raises ValueError for settings that would have no effect, and for an `output` that cannot be written."""
    if pair is not None:
        check_words(pair)
        if output is not None:
            raise ValueError("output: must be left out with diff; diff writes no file")
        if source is not None:
            raise ValueError(f"from: must be left out with diff; name the file as A or B: diff log {source}")
    if source is not None and not source.is_file():
        raise ValueError(f"from: there is no file {source}")
    if output is not None and (output.suffix not in SUFFIXES or output.is_dir()):
        raise ValueError(f"output: must be a file that ends in {', '.join(SUFFIXES)}, got {output}")
    if source is not None and output is not None and source.resolve() == output.resolve():
        raise ValueError(f"output: must be another file than from, got {output}")
    setting = _schedule_setting() if pair or source else None
    if setting is not None:
        default = "diff, which compares schedules in their default settings"
        why = default if source is None else f"from={source}, whose schedule is used"
        raise ValueError(f"{setting}: must be left out with {why}")


def _schedule_setting() -> str | None:
    """The first setting on this job's command line that belongs to `schedule`; None if there is none."""
    from hydra.core.hydra_config import HydraConfig

    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    resumes = any(word.startswith("resume=") for word in words)  # its run brings overrides of its own
    found = (word for word in words if word.lstrip("+~").partition("=")[0].partition(".")[0] == "schedule")
    return None if resumes else next(found, None)


def execute(plan: SchedulePlan, folder: Path, config: DictConfig) -> int:
    """Print the schedule, or the comparison; write the file that `output` names."""
    for line in compare(plan.diff, plan.training, plan.horizon) if plan.diff else describe(plan):
        print(printable(line))
    return DONE


def describe(plan: SchedulePlan) -> list[str]:
    """Lines on the schedule's steps in each epoch and on their costs. Writes the file that `output` names."""
    from tl_search.training.horizon import Epoch, horizon_of, measure_epoch, scheduled_steps

    lines = [f"note: {note}" for note in plan.notes]
    if plan.horizon is None:
        epoch = measure_epoch(plan.training)
        horizon = horizon_of(plan.training, epoch.steps)
        lines.append(epoch_length(epoch))
    else:
        horizon, epoch = plan.horizon, Epoch(None, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        steps = scheduled_steps(plan.training.schedule, horizon)
    more = [f"warning: {warning.message}" for warning in caught]
    run = Start.parse(plan.training.resume).run
    if run is not None:
        steps, known = extended(plan.training, run, steps, horizon, epoch.steps)
        more += known
    lines += [*epoch_lines(steps, horizon), summary(steps), *rule_lines(plan.training.schedule, horizon), *more]
    lines += costs(plan.training, steps, horizon, epoch.vocabulary)
    if plan.output is not None:
        write_bytes(plan.output, written(steps, horizon, plan.training.schedule, plan.output.suffix))
        lines.append(f"written to {plan.output}")
    return lines


def bare(words: Sequence[str]) -> tuple[str, ...]:
    """The words `diff A B` as an override. Raises BadInput for other words."""
    if len(words) != 3 or words[0] != "diff":
        raise BadInput(f"{words[0]}: tl schedule takes settings as key=value, or: diff A B; see tl schedule --help")
    return (f"diff=[{','.join(map(quoted, words[1:]))}]",)


COMMAND = Command(
    name="schedule",
    summary="show at which steps a training run writes checkpoints, and what they cost\n\n"
    "It takes the settings of tl train, but trains nothing. To count the steps of an epoch, it reads the training\n"
    "text, unless horizon.total or horizon.epoch_ends says how long the run is.\n\n"
    "`diff A B` compares two schedules. Each of A and B is the name of a schedule, with its default settings,\n"
    "a file that output=FILE wrote, a file of the earlier checkpoint generator, or the directory of a training run.\n"
    "Both schedules are computed for a run of the same length. Its length is the first of these that is given:\n"
    "horizon, a file that output=FILE wrote, a training run, the other settings.",
    usage="[SETTING=VALUE ...] | diff A B [SETTING=VALUE ...]",
    examples=(
        ("tl schedule experiments=quickstart/train", "show the checkpoints of the quickstart training run"),
        ("tl schedule schedule=pythia horizon.total=143000", "show the checkpoints of the Pythia suite"),
        ("tl schedule 'horizon.epoch_ends=[333,666,1000]' output=steps.png", "show a run of three epochs, and draw it"),
        ("tl schedule from=old.yaml output=steps.yaml", "convert a file of the earlier checkpoint generator"),
        (
            "tl schedule resume=runs/train/RUN trainer.max_steps=40000",
            "show how a training run would continue to step 40000",
        ),
        ("tl schedule diff log runs/train/RUN", "compare the checkpoints of a run with schedule=log"),
    ),
    bare=bare,
    plan=plan,
    execute=execute,
    parts=train.COMMAND.parts,
    settings=("horizon", "from", "output", "diff"),
    places=("ledger", "embeddings"),
    makes_run=False,
    also_takes=("train",),
    resumes=True,
)
