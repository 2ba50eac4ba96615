"""`tl compare`: branches several curricula from one state, and says what the paired differences show."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli import commands
from tl_search.cli.command import Command
from tl_search.cli.config.compose import SETTING, CommandLine, parse, quoted
from tl_search.cli.config.convert import convert
from tl_search.errors.exit_codes import DONE
from tl_search.errors.limits import between
from tl_search.errors.nearest import no_folder
from tl_search.plane.revision import step_of
from tl_search.runs.layout import RunPaths
from tl_search.runs.target import Target

if TYPE_CHECKING:
    from tl_search.cli.config.preflight import Job

_OWN = ("base", "curricula", "seeds", "settings", "runs", "output", "plugins", "hydra")
_MADE = ("branch_from", "resume", "curriculum", "seed", "branch.data")  # settings of the arms that this command makes
_MOST_SEEDS = 10_000  # each is a training of every arm
_OF_ARMS = ("branch", "tags")  # settings that the base does not have


@dataclass(frozen=True)
class ComparePlan:
    """What the command has to do.

    Args:
        base: `RUN@stepN`, `RUN@best` or `stepN`; None compares `runs` as they are.
        curricula: Options, the reference first.
        seeds: Of each arm.
        settings: Settings of tl train for every arm; of a base that is `stepN`, for the base, whose arms have them too.
        runs: Branches that exist.
        output: Folder of what is written; None is one beside the runs.
    """

    base: str | None
    curricula: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: tuple[str, ...]
    runs: tuple[Path, ...]
    output: Path | None


def plan(parts: Mapping[str, Any]) -> ComparePlan:
    """The comparison that the settings ask for. Raises ValueError."""
    base = convert(parts["base"], str | None, "base")
    curricula = convert(parts["curricula"], tuple[str, ...], "curricula")
    settings = convert(parts["settings"], tuple[str, ...], "settings")
    runs = convert(parts["runs"] or [], tuple[Path, ...], "runs")
    if (base is None) == (not runs):
        raise ValueError("base: must be given, or runs=[RUN,RUN,...] in its place")
    if runs:
        if curricula or settings:
            raise ValueError("runs: must be given without curricula and settings, which make new runs")
        for run in runs:
            if not run.is_dir():
                raise ValueError(f"runs: {no_folder(run)}")
    elif len(curricula) < 2 or len(set(curricula)) < len(curricula):
        raise ValueError(f"curricula: must be two different ones or more, got [{', '.join(curricula)}]")
    for word in settings:
        if (name := _key(word)) in _MADE and (name not in ("seed", "curriculum") or not _is_new(base)):
            raise ValueError(f"settings: must be without {', '.join(_MADE)}, which the arms get, got {word}")
    return ComparePlan(
        base, curricula, _seeds(parts["seeds"]), settings, runs, convert(parts["output"], Path | None, "output")
    )


def rewritten(words: Sequence[str]) -> list[str]:
    """A command line with all settings of tl train in `settings`."""
    theirs = [word for word in words if SETTING.match(word) and _key(word).partition(".")[0] not in _OWN]
    kept = [word for word in words if word not in theirs]
    return [*kept, f"settings=[{','.join(map(quoted, theirs))}]"] if theirs else kept


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def _is_new(base: str | None) -> bool:
    """Whether the base is made of the settings, and is not a run that is named."""
    return base is not None and "@" not in base and step_of(base) is not None


def _seeds(given: Any) -> tuple[int, ...]:
    if isinstance(given, list):
        seeds = convert(given, tuple[int, ...], "seeds")
    else:
        between(1, _MOST_SEEDS, seeds=(count := convert(given, int, "seeds")))
        seeds = tuple(range(count))
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds: must be a number >= 1 or a list of different seeds, got {given!r}")
    return seeds


def execute(plan: ComparePlan, folder: Path, config: DictConfig) -> int:
    """Train what is missing, then compare. A run that was stopped goes on; a finished one is only read."""
    from tl_search.report.arms import read_comparison
    from tl_search.report.arms_table import write_comparison

    runs: Sequence[Path] = plan.runs
    names: Sequence[str] | None = None
    if plan.base is not None:
        shared = _shared(config)
        base, code = _base(plan, plan.base, shared)
        if code != DONE:
            return code
        words = [f"branch_from={quoted(base)}", f"curriculum={','.join(plan.curricula)}", "branch.data=restart"]
        words.append(f"seed={','.join(map(str, plan.seeds))}")
        jobs, code = _train(["-m", *words, *shared, *(word for word in plan.settings if _is_of_arms(plan, word))])
        if code != DONE:
            print("tl compare: the same command goes on with what is not finished", file=sys.stderr, flush=True)
            return code
        runs = [_run_of(job) for job in jobs]
        names = [str(job.config.hydra.runtime.choices.curriculum) for job in jobs]
    write_comparison(read_comparison(runs, names), plan.output)
    return DONE


def _run_of(job: "Job") -> Path:
    """The run of a job; where two jobs mean the same, it has the name that the first one gave it."""
    digest = job.folder.name.rpartition("-")[2]
    alike = (path for path in sorted(job.folder.parent.glob(f"*-{digest}")) if path.is_dir())
    return job.folder if RunPaths(job.folder).record.exists() else next(alike, job.folder)


def _shared(config: DictConfig) -> list[str]:
    """What this command line says of packages and folders of options, for the lines of tl train."""
    places = [str(place) for place in config.hydra.searchpath if not str(place).startswith("studies://")]
    allowed = [str(name) for name in config.get("plugins") or ()]
    return [
        *([f"hydra.searchpath=[{','.join(map(quoted, places))}]"] if places else []),
        *([f"plugins=[{','.join(allowed)}]"] if allowed else []),
    ]


def _is_of_arms(plan: ComparePlan, word: str) -> bool:
    """Whether a setting is put on the command line of the arms, which have those of a base that is made of them."""
    return not _is_new(plan.base) or _key(word).partition(".")[0] in _OF_ARMS


def _base(plan: ComparePlan, base: str, shared: Sequence[str]) -> tuple[str, int]:
    """(the state from which the arms begin, the exit code of the base's training)."""
    if not _is_new(base):
        return base, DONE
    step = step_of(base)
    own = [word for word in plan.settings if not _is_of_arms(plan, word)]
    keep = ["checkpoint.every_n_scheduled=1", f"schedule.checkpoint_schedule=[{step}]"]
    named = {_key(word) for word in own}
    jobs, code = _train([*shared, *own, *(word for word in keep if _key(word) not in named)])
    return str(Target(jobs[0].folder.resolve(), f"step{step}")), code


def _train(words: Sequence[str]) -> "tuple[list[Job], int]":
    """Carry out a line of `tl train`; its jobs, all checked before the first one starts, and its exit code."""
    from tl_search.cli.config.preflight import preflight
    from tl_search.cli.config.resumed import with_choices
    from tl_search.cli.launch import launch

    line: CommandLine = with_choices(parse("train", words))
    jobs = preflight(line, commands.find("train"))
    return jobs, launch(line, jobs)


COMMAND = Command(
    name="compare",
    summary="compare curricula: branch each from one state, with the same seeds and text\n\n"
    "Every arm begins with the same bytes, and arms with one seed read the same text in the same order. The table has\n"
    "paired differences of the eval loss with intervals, and says so where no difference is shown. What is not\n"
    "finished goes on when the command is repeated. Every setting of tl train may be given for the arms.",
    usage="base=RUN@stepN curricula=[NAME,NAME,...] [seeds=N] [SETTING=VALUE ...]",
    examples=(
        ("tl compare base=runs/train/RUN@step1000 curricula=[current,two_stage]", "three seeds of each curriculum"),
        (
            "tl compare base=step1000 trainer.max_steps=2000 curricula=[current,two_stage] seeds=5",
            "the run that tl train makes of these settings is the base; it is trained first if it is not there",
        ),
        ("tl compare runs=[runs/train/A,runs/train/B]", "branches that exist, such as those of a sweep"),
    ),
    bare=(),
    plan=plan,
    execute=execute,
    settings=("base", "curricula", "seeds", "settings", "runs", "output"),
    makes_run=False,
    rewrite=rewritten,
)
