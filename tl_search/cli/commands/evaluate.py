"""`tl evaluate`: the eval loss of a revision, measured once more and compared with what the run recorded."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.commands.train import recorded
from tl_search.cli.errors import DONE, INCOMPLETE, suggest
from tl_search.errors.nearest import no_folder
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
    if not RunPaths(run).config.is_file() or not RunPaths(run).revisions.is_dir():
        raise ValueError(f"run: {run} is no training run (it needs config.yaml and revisions/)")
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
    summary="measure a revision's eval loss and perplexity anew, and compare them with the recorded ones\n\n"
    "Uses the run's own settings, held-out text and weights, and changes nothing in it. Ends with 3 if they disagree.",
    usage="RUN[@stepN|@best|@main]",
    examples=(
        ("tl evaluate runs/train/RUN", "the final model"),
        ("tl evaluate runs/train/RUN@best", "the best one by callbacks.best.monitor: by default the lowest eval loss"),
        ("tl evaluate -m run=runs/train/RUN@step100,runs/train/RUN@step200", "several, one after the other"),
    ),
    bare=("run={}",),
    plan=plan,
    execute=execute,
    settings=("run",),
    makes_run=False,
)
