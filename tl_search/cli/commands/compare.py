"""`tl compare`: branches several curricula from one state, and says what the paired differences show."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.arm_runs import Wanted, branched, is_new, key_of, room_of
from tl_search.cli.command import Command
from tl_search.cli.config.compose import SETTING, quoted
from tl_search.cli.config.convert import convert
from tl_search.errors.exit_codes import DIVERGED, DONE, INCOMPLETE
from tl_search.errors.limits import MOST_STEPS, between
from tl_search.errors.nearest import no_folder, suggest
from tl_search.plane.revision import step_of
from tl_search.runs.target import Target

_OWN = ("base", "curricula", "seeds", "settings", "runs", "metric", "mode", "at", "threshold", "output", "plugins")
_MADE = ("branch_from", "resume", "curriculum", "seed")  # settings of the arms that this command makes
_MOST_SEEDS = 10_000  # each is a training of every arm


@dataclass(frozen=True)
class ComparePlan:
    """What the command has to do.

    Args:
        wanted: What is trained; None compares `runs` as they are.
        runs: Branches that exist.
        metric: The measurement that is compared.
        mode: Whether less (`min`) or more (`max`) of it is better; None finds that out.
        at: Steps whose values are compared too.
        threshold: Of the measurement; the time until it is reached is compared too. None: no such time.
        output: Folder of what is written; None is one beside the runs.
    """

    wanted: Wanted | None
    runs: tuple[Path, ...]
    metric: str
    mode: str | None
    at: tuple[int, ...]
    threshold: float | None
    output: Path | None


def plan(parts: Mapping[str, Any]) -> ComparePlan:
    """The comparison that the settings ask for. Raises ValueError."""
    from tl_search.report.metric import MODES

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
        if (name := key_of(word)) in _MADE and (name not in ("seed", "curriculum") or not is_new(base)):
            raise ValueError(f"settings: must be without {', '.join(_MADE)}, which the arms get, got {word}")
    mode, at = convert(parts["mode"], str | None, "mode"), _steps(parts["at"], base)
    if mode not in (None, *MODES):
        raise ValueError(f"mode: must be min, max or null, got {mode}{suggest(mode, MODES)}")
    threshold = convert(parts["threshold"], float | None, "threshold")
    seeds = _seeds(parts["seeds"])
    return ComparePlan(
        None if base is None else Wanted(base, curricula, seeds, settings, at),
        runs,
        convert(parts["metric"], str, "metric"),
        mode,
        at,
        threshold,
        convert(parts["output"], Path | None, "output"),
    )


def rewritten(words: Sequence[str]) -> list[str]:
    """A command line with all settings of tl train in `settings`."""
    theirs = [word for word in words if SETTING.match(word) and not _is_own(word)]
    kept = [word for word in words if word not in theirs]
    return [*kept, f"settings=[{','.join(map(quoted, theirs))}]"] if theirs else kept


def _is_own(word: str) -> bool:
    """Whether a setting is of this command; how jobs are launched is for tl train, which has jobs."""
    key = key_of(word)
    return room_of(word) in _OWN or (room_of(word) == "hydra" and not key.startswith(("hydra/", "hydra.launcher")))


def _steps(given: Any, base: str | None) -> tuple[int, ...]:
    """The steps of `at`, in order."""
    at = convert(given if isinstance(given, list) else [] if given is None else [given], tuple[int, ...], "at")
    named = base if is_new(base) else Target.parse(base).name if base else None
    begins = step_of(named) if named else None
    for step in at:
        between(1, MOST_STEPS, at=step)
        if begins is not None and step <= begins:
            raise ValueError(f"at: must be steps after the branch, > {begins}, got {step}")
    return tuple(sorted(set(at)))


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
    """Train what is missing, then compare. INCOMPLETE if a run has diverged, which the verdict says."""
    from tl_search.report.arm_rows import compare_arms
    from tl_search.report.arms import read_arms
    from tl_search.report.arms_table import write_comparison

    runs: Sequence[Path] = plan.runs
    names: Sequence[str] | None = None
    if plan.wanted is not None:
        made = branched(plan.wanted, _shared(config))
        if not made.runs or made.code not in (DONE, DIVERGED):
            print("tl compare: the same command goes on with what is not finished", file=sys.stderr, flush=True)
            return made.code
        runs, names = made.runs, made.arms
    arms = read_arms(runs, names, plan.metric, plan.mode)
    write_comparison(compare_arms(arms, plan.at, plan.threshold), plan.output, _command(plan, config))
    return INCOMPLETE if any(run.diverged for run in arms.runs) else DONE


def _command(plan: ComparePlan, config: DictConfig) -> str:
    """The command line that makes the same comparison."""
    words: list[str]
    if plan.wanted is None:
        words = [f"runs=[{','.join(quoted(str(run)) if _is_odd(run) else str(run) for run in plan.runs)}]"]
    else:
        wanted = plan.wanted
        counted = wanted.seeds == tuple(range(len(wanted.seeds)))
        seeds = str(len(wanted.seeds)) if counted else f"[{','.join(map(str, wanted.seeds))}]"
        words = [f"base={wanted.base}", f"curricula=[{','.join(wanted.curricula)}]", f"seeds={seeds}", *wanted.settings]
    asked = {"metric": None if plan.metric == "eval/loss" else plan.metric, "mode": plan.mode,
             "at": f"[{','.join(map(str, plan.at))}]" if plan.at else None, "threshold": plan.threshold,
             "output": plan.output}  # fmt: skip
    words += [f"{name}={value}" for name, value in asked.items() if value is not None]
    return " ".join(["tl", "compare", *map(shlex.quote, [*words, *_shared(config)])])


def _is_odd(path: Path) -> bool:
    return not all(letter.isalnum() or letter in "/._-" for letter in str(path))


def _shared(config: DictConfig) -> list[str]:
    """What this command line says of packages and folders of options, for the lines of tl train."""
    places = [str(place) for place in config.hydra.searchpath if not str(place).startswith("studies://")]
    allowed = [str(name) for name in config.get("plugins") or ()]
    return [
        *([f"hydra.searchpath=[{','.join(map(quoted, places))}]"] if places else []),
        *([f"plugins=[{','.join(allowed)}]"] if allowed else []),
    ]


COMMAND = Command(
    name="compare",
    summary="compare curricula: branch each from one state, with the same seeds and text\n\n"
    "Every arm begins with the same bytes, and arms with one seed read the same text in the same order. A table and a\n"
    "page have paired differences with intervals, and say so where no difference is shown. What is not finished goes\n"
    "on when the command is repeated. Every setting of tl train may be given for the arms, also launchers=NAME.",
    usage="base=RUN@stepN curricula=[NAME,NAME,...] [seeds=N] [SETTING=VALUE ...]",
    examples=(
        ("tl compare base=runs/train/RUN@step1000 curricula=[current,two_stage]", "three seeds of each curriculum"),
        (
            "tl compare base=step1000 trainer.max_steps=2000 curricula=[current,two_stage] seeds=5",
            "the run that tl train makes of these settings is the base; it is trained first if it is not there",
        ),
        ("tl compare runs=[runs/train/A,runs/train/B]", "branches that exist, such as those of a sweep"),
        (
            "tl compare base=runs/train/RUN@step1000 curricula=[current,two_stage] at=[1500,2000] threshold=2.5",
            "also the eval loss at these steps, and the time until it is 2.5",
        ),
    ),
    bare=(),
    plan=plan,
    execute=execute,
    settings=("base", "curricula", "seeds", "settings", "runs", "metric", "mode", "at", "threshold", "output"),
    makes_run=False,
    rewrite=rewritten,
)
