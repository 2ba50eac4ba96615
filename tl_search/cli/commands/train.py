"""`tl train`: a training run that leaves a plane behind."""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.command import Command
from tl_search.cli.config.build import build, construct
from tl_search.cli.config.hydra_errors import readable
from tl_search.cli.config.naming import deciding_keys
from tl_search.cli.config.recorded import begin, read, renew
from tl_search.runs.target import Start
from tl_search.store.lock import RunLock

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

log = logging.getLogger(__name__)


def plan(parts: Mapping[str, Any]) -> "TrainingPlan":
    """The training that the parts of a config make up. Raises ValueError."""
    from tl_search.plane.horizon import Horizon
    from tl_search.training.extend import check_length, check_text, extension
    from tl_search.training.plan import TrainingPlan
    from tl_search.training.start import check_start

    names = {field.name for field in fields(TrainingPlan)}
    planned = construct(TrainingPlan, {name: part for name, part in parts.items() if name in names})
    try:
        planned.data.corpus.check()
    except ValueError as error:
        raise ValueError(f"data.corpus.{error}") from error
    start, most = Start.parse(planned.resume), planned.trainer.get("max_steps") or -1
    if start.run is not None:
        change = extension(start.run, planned.identity())
        done = check_start(start.run, start)
        if change and most > 0:
            check_length(start.run, planned.trainer, most, done)
        check_text(start.run, planned)
    if most > 0:
        try:
            planned.schedule.kept(Horizon(most))  # which the length in epochs can only shorten
        except ValueError as error:
            raise ValueError(f"schedule.{error}") from error
    return planned


def recorded(run: Path) -> "TrainingPlan":
    """How a run was trained, by what it says of itself. Raises BadInput or ValueError when that no longer fits."""
    said = read(run)
    with readable():
        return plan(
            build(OmegaConf.create({key: said[key] for key in (*deciding_keys("train"), "cache") if key in said}))
        )


def execute(plan: "TrainingPlan", folder: Path, config: DictConfig, wait: float = 0.0) -> int:
    """Train in `folder`, or go on where it stopped; a finished run is left as it is.

    Args:
        wait: Seconds to wait for another process that is training the same run.
    """
    from tl_search.training.fit import fit

    if wait and (folder / "run.lock" / "owner.json").exists():
        log.info("%s: another process trains this run; waiting for it", folder)
    with RunLock(folder, wait=wait):
        if Start.parse(plan.resume).run is None:
            begin(folder, "train", config)
            fit(plan, folder)
        else:
            fit(plan, folder, accepted=lambda: renew(folder, "train", config))
    log.info("%s: this training is done; search it: tl search %s", folder, folder)
    return 0


def _parts() -> tuple[type, ...]:
    from tl_search.training.plan import TrainingPlan

    return (TrainingPlan,)


COMMAND = Command(
    name="train",
    summary="train a language model and keep the checkpoints that a schedule asks for\n\n"
    "The run's directory follows from its settings: the same command goes on where it was stopped.",
    usage="[SETTING=VALUE ...]",
    examples=(
        ("tl train", "a small model on text that every machine has"),
        ("tl train schedule=linear schedule.linear_interval=50", "a checkpoint every 50 steps"),
        ("tl train resume=runs/train/RUN trainer.max_steps=40000", "go on with a run, finished or not, for longer"),
        ("tl train -m schedule=log,linear seed=0,1", "four runs, one after the other"),
    ),
    bare=(),
    plan=plan,
    execute=execute,
    parts=_parts,
    places=("ledger", "embeddings"),
    resumes=True,
)
