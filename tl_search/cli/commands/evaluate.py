"""`tl evaluate`: measures the eval loss of a revision again and compares it with the recorded one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.commands.train import recorded
from tl_search.errors.exit_codes import DONE, INCOMPLETE
from tl_search.errors.nearest import no_folder, suggest
from tl_search.runs.layout import RunPaths
from tl_search.runs.target import Target

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan


def plan(parts: Mapping[str, Any]) -> tuple["TrainingPlan", Path, str]:
    """How a run was trained, the run, and the revision that `RUN@NAME` names. Raises ValueError."""
    from tl_search.training.evaluate import revision_names

    target = Target.parse(str(parts["run"]))
    run, name = target.run, target.name or "main"
    if not run.is_dir():
        raise ValueError(f"run: {no_folder(run)}")
    if not RunPaths(run).config.exists() or not RunPaths(run).revisions.is_dir():
        raise ValueError(f"run: {run} is not a training run (a training run has config.yaml and revisions/)")
    names = revision_names(run)
    if name not in names:
        raise ValueError(f"run: {run} has no revision {name!r}{suggest(name, names)}")
    return recorded(run), run, name


def execute(plan: tuple["TrainingPlan", Path, str], folder: Path, config: DictConfig) -> int:
    from tl_search.training.evaluate import evaluate

    found = evaluate(*plan)
    print(found)
    return DONE if found.agrees else INCOMPLETE


COMMAND = Command(
    name="evaluate",
    summary="measure the eval loss and perplexity of a revision again, and compare them with the recorded values\n\n"
    "It uses the settings, the held-out text and the weights of the run, and changes none of its files.\n"
    "The exit code is 3 if the values differ.",
    usage="RUN[@stepN|@best|@main]",
    examples=(
        ("tl evaluate runs/train/RUN", "evaluate the final model"),
        ("tl evaluate runs/train/RUN@best", "evaluate the best model, by default the one with the lowest eval loss"),
        ("tl evaluate -m run=runs/train/RUN@step100,runs/train/RUN@step200", "evaluate two revisions"),
    ),
    bare=("run={}",),
    plan=plan,
    execute=execute,
    settings=("run",),
    makes_run=False,
)
