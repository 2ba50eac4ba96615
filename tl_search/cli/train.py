"""`tl train`: a training run that leaves a plane behind."""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.build import construct
from tl_search.cli.commands import Command
from tl_search.cli.record import begin
from tl_search.store.lock import RunLock

if TYPE_CHECKING:
    from tl_search.training.fit import TrainingPlan

log = logging.getLogger(__name__)


def plan(parts: Mapping[str, Any]) -> "TrainingPlan":
    """The training that the parts of a config make up. Raises ValueError."""
    from tl_search.training.corpus import TextFiles
    from tl_search.training.fit import TrainingPlan

    names = {field.name for field in fields(TrainingPlan)}
    planned = construct(TrainingPlan, {name: part for name, part in parts.items() if name in names})
    if isinstance(planned.data.corpus, TextFiles):
        try:
            planned.data.corpus.files()
        except ValueError as error:
            raise ValueError(f"data.corpus.{error}") from error
    return planned


def execute(plan: "TrainingPlan", folder: Path, config: DictConfig, wait: float = 0.0) -> int:
    """Train in `folder`, or go on where it stopped; a finished run is left as it is.

    Args:
        plan: What is trained.
        folder: The run directory.
        config: For the run's record of itself.
        wait: Seconds to wait for another process that is training the same run.
    """
    from tl_search.training.fit import fit

    if wait and (folder / "run.lock" / "owner.json").exists():
        log.info("%s: another process trains this run; waiting for it", folder)
    with RunLock(folder, wait=wait):
        begin(folder, "train", config)
        fit(plan, folder)
    log.info("%s: this training is done; search it: tl search %s", folder, folder)
    return 0


COMMAND = Command(
    name="train",
    summary="train a language model and keep the checkpoints that a schedule asks for\n\n"
    "The run's directory follows from its settings: the same command goes on where it was stopped.",
    usage="[SETTING=VALUE ...]",
    examples=(
        ("tl train", "a small model on text that every machine has"),
        ("tl train schedule=linear schedule.linear_interval=50", "a checkpoint every 50 steps"),
        ("tl train -m schedule=log,linear seed=0,1", "four runs, one after the other"),
    ),
    bare=(),
    plan=plan,
    execute=execute,
)
