"""`tl run`: train, search what was trained, report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.commands import search, train

FOREVER = float("inf")


def plan(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    """The training and the search. Raises ValueError."""
    return train.plan(parts), search.assemble(parts)


def execute(plan: tuple[Any, Any], folder: Path, config: DictConfig) -> int:
    """Train unless that is done, search, report. Jobs of a sweep with the same training share one training run."""
    training, searching = plan
    train.execute(training, Path(config.checkpoints.path), config, wait=FOREVER)
    return search.execute(searching, folder, config, command="run")


COMMAND = Command(
    name="run",
    summary="train a model, search its plane and report, in one go\n\n"
    "Takes every setting of tl train and tl search, and finds a training run that tl train made with the same ones.",
    usage="[SETTING=VALUE ...]",
    examples=(
        ("tl run experiments=quickstart/run", "minutes on a laptop, no downloads"),
        ("tl run -m schedule=log,linear sampling=sparse,log bandit=ucb,ts", "eight searches of two training runs"),
        ("tl run -m launchers=slurm bandit=ucb,ts seed=0,1,2", "the same on a cluster"),
    ),
    bare=(),
    plan=plan,
    execute=execute,
    parts=lambda: (*train.COMMAND.parts(), *search.COMMAND.parts()),
    derived=("checkpoints",),  # the run that the settings of the training name
)
