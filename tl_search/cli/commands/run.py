"""`tl run`: trains a model, searches its checkpoints and layers, and reports the result."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.commands import search, train

FOREVER = float("inf")
_TO_BRANCH = "tl train branch_from=RUN@stepN makes the branch, and tl search BRANCH searches it"


def plan(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    """The training and the search; of a training that is only tried, the search is, too. Raises ValueError."""
    if parts.get("branch_from") is not None:  # as an experiment's file may say, since a training has this setting
        raise ValueError(f"branch_from: must be left out with tl run, which trains from the start; {_TO_BRANCH}")
    from tl_search.search.readouts import check_windows

    training = train.plan(parts)
    if training.task.name != "language":
        raise ValueError(f"data: must be text with tl run, which searches, got data of the task {training.task.name}")
    searching = search.assemble(parts)
    searching.tasks.check_splits()  # what the search alone would find, it would find after the training
    if (blocks := getattr(training.model, "blocks", None)) is not None:
        check_windows(searching.readout, blocks)
    return training, replace(searching, debug=searching.debug or bool(training.trainer.get("fast_dev_run")))


def execute(plan: tuple[Any, Any], folder: Path, config: DictConfig) -> int:
    """Train unless that is done already, then search and report. Jobs with the same training share one training run."""
    training, searching = plan
    train.execute(training, Path(config.checkpoints.path), config, wait=FOREVER)
    return search.execute(searching, folder, config, command="run")


COMMAND = Command(
    name="run",
    summary="train a model, search its checkpoints and layers, and report, in one command\n\n"
    "It takes the settings of tl train and tl search. If tl train has made a run with the same settings, it is used.",
    usage="[SETTING=VALUE ...]",
    examples=(
        ("tl run experiments=quickstart/run", "takes minutes on a laptop and downloads nothing"),
        (
            "tl run -m schedule=log,linear sampling=sparse,log bandit=ucb,ts",
            "train two models, and search each four times",
        ),
        ("tl run debug=true", "try it in seconds, with a small model and quick tasks; nothing is kept"),
        ("tl run trainer.fast_dev_run=true", "try it with the model as large as it is, for a few steps"),
        ("tl run -m launchers=slurm bandit=ucb,ts seed=0,1,2", "run six jobs on a SLURM cluster"),
    ),
    bare=(),
    plan=plan,
    execute=execute,
    parts=lambda: (*train.COMMAND.parts(), *search.COMMAND.parts()),
    instead={"branch_from": _TO_BRANCH, "branch": _TO_BRANCH},
    derived=("checkpoints",),  # its value follows from the settings of the training
)
