"""Trains the runs of a comparison: the base, if it is missing, and a branch for every curriculum and seed.

A run that was stopped goes on, and one that is done or has diverged is only read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tl_search.cli import commands
from tl_search.cli.config.compose import CommandLine, parse, quoted
from tl_search.errors.exit_codes import DIVERGED, DONE, TRY_AGAIN
from tl_search.errors.kinds import DivergedError, JobFailed
from tl_search.plane.revision import step_of
from tl_search.runs import state
from tl_search.runs.layout import RunPaths
from tl_search.runs.target import Target

if TYPE_CHECKING:
    from tl_search.cli.config.preflight import Job

_OF_ARMS = ("branch", "tags")  # settings that the base does not have
_OF_ALL = ("launchers", "hydra")  # settings of how jobs are run, which a branch does not take over from its parent
_OVER = (state.DONE, state.DIVERGED)


@dataclass(frozen=True)
class Wanted:
    """What is compared.

    Args:
        base: `RUN@stepN`, `RUN@best` or `stepN`.
        curricula: Options, the reference first.
        seeds: Of each arm.
        settings: Settings of tl train for every arm; of a base that is `stepN`, for the base, whose arms have them too.
        at: Steps that are asked for; each must be within the arms' length.
    """

    base: str
    curricula: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: tuple[str, ...]
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Branched:
    """The runs of a comparison, and the arm of each; the exit code says whether all of them are done."""

    runs: tuple[Path, ...]
    arms: tuple[str, ...]
    code: int


def is_new(base: str | None) -> bool:
    """Whether the base is made of the settings, and is not a run that is named."""
    return base is not None and "@" not in base and step_of(base) is not None


def key_of(word: str) -> str:
    """The setting that a word of a command line sets."""
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def room_of(word: str) -> str:
    return key_of(word).partition(".")[0].partition("/")[0]


def branched(wanted: Wanted, shared: Sequence[str]) -> Branched:
    """Train what is missing.

    Args:
        shared: Words for every line of tl train.

    Raises:
        BadInput: one of the lines has a mistake.
        ValueError: a step of `at` is beyond the arms' end.
        DivergedError: the base has diverged, or every run has.
    """
    base, code = _base(wanted, shared)
    if code != DONE:
        return Branched((), (), code)
    words = [f"branch_from={quoted(base)}", f"curriculum={','.join(wanted.curricula)}"]
    words.append(f"seed={','.join(map(str, wanted.seeds))}")
    own = [word for word in wanted.settings if not is_new(wanted.base) or room_of(word) in (*_OF_ARMS, *_OF_ALL)]
    if not any(key_of(word) == "branch.data" for word in own):
        words.append("branch.data=restart")  # so that the seeds read other text, or the same in another order
    line, jobs = _checked(["-m", *words, *shared, *own])
    _check_steps(wanted.at, jobs)
    code = _trained(line, jobs)
    arms = tuple(str(job.config.hydra.runtime.choices.curriculum) for job in jobs)
    return Branched(tuple(map(_run_of, jobs)), arms, code)


def _base(wanted: Wanted, shared: Sequence[str]) -> tuple[str, int]:
    """(the state from which the arms begin, the exit code of the base's training)."""
    if not is_new(wanted.base):
        return wanted.base, DONE
    step = step_of(wanted.base)
    own = [word for word in wanted.settings if room_of(word) not in _OF_ARMS]
    keep = ["checkpoint.every_n_scheduled=1", f"schedule.checkpoint_schedule=[{step}]"]
    named = {key_of(word) for word in own}
    line, jobs = _checked([*shared, *own, *(word for word in keep if key_of(word) not in named)])
    most = jobs[0].plan.trainer.get("max_steps") or 0
    if step is not None and 0 < most <= step:  # said before the base is trained
        raise ValueError(f"trainer.max_steps: must be > {step}, where the arms begin, got {most}")
    return str(Target(_run_of(jobs[0]).resolve(), f"step{step}")), _trained(line, jobs)


def _checked(words: Sequence[str]) -> "tuple[CommandLine, list[Job]]":
    """A line of `tl train`, and its jobs, which are all checked."""
    from tl_search.cli.config.preflight import preflight
    from tl_search.cli.config.resumed import with_choices

    line = with_choices(parse("train", [*words, "hydra/hydra_logging=disabled"]))  # one line for each run is enough
    return line, preflight(line, commands.find("train"))


def _check_steps(at: Sequence[int], jobs: "Sequence[Job]") -> None:
    ends = [most for job in jobs if (most := job.plan.trainer.get("max_steps") or 0) > 0]
    if ends and (beyond := [step for step in at if step > min(ends)]):
        raise ValueError(f"at: must be steps up to the arms' last, {min(ends)}, got {beyond[0]}")


def _trained(line: CommandLine, jobs: "Sequence[Job]") -> int:
    """Carry out a line of `tl train`, unless all of its runs are over. DIVERGED where the only trouble is that."""
    from tl_search.cli.launch import launch

    if not all(state.state_of(_run_of(job)) in _OVER for job in jobs):
        try:
            code = launch(line, list(jobs), inner=True)
        except JobFailed as error:  # which a launcher raises in the place of the first job that failed
            if error.code != DIVERGED:
                raise
            code = DIVERGED
        if code not in (DONE, DIVERGED):
            return code
    found = {state.state_of(_run_of(job)) for job in jobs}
    if not found <= {*_OVER}:  # beside one that has diverged, which is the worse code
        return TRY_AGAIN
    if found == {state.DIVERGED}:
        told = [str(_run_of(job)) for job in jobs]
        raise DivergedError(f"all of these have diverged, so that there is nothing to compare: {', '.join(told)}")
    return DIVERGED if state.DIVERGED in found else DONE


def _run_of(job: "Job") -> Path:
    """The run of a job; where two jobs mean the same, it has the name that the first one gave it."""
    digest = job.folder.name.rpartition("-")[2]
    alike = (path for path in sorted(job.folder.parent.glob(f"*-{digest}")) if path.is_dir())
    return job.folder if RunPaths(job.folder).record.exists() else next(alike, job.folder)
