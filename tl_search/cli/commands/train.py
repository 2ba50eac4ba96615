"""`tl train`: trains a language model and saves the checkpoints that a search needs."""

import json
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
from tl_search.cli.config.recorded import begin, permit, read, renew
from tl_search.cli.config.tried import is_tried
from tl_search.errors.exit_codes import DONE
from tl_search.runs.identity import as_recorded
from tl_search.runs.record import RunRecord
from tl_search.runs.target import Start, Target
from tl_search.store.lock import RunLock

if TYPE_CHECKING:
    from tl_search.training.plan import TrainingPlan

log = logging.getLogger(__name__)


def plan(parts: Mapping[str, Any]) -> "TrainingPlan":
    """The training plan that the parts of a config make up. Raises ValueError."""
    from tl_search.plane.horizon import Horizon
    from tl_search.training.extend import check_length, check_text, extension
    from tl_search.training.lineage import check_branch
    from tl_search.training.plan import TrainingPlan
    from tl_search.training.start import check_start

    names = {field.name for field in fields(TrainingPlan)}
    planned = construct(TrainingPlan, {name: part for name, part in parts.items() if name in names})
    try:
        planned.data.corpus.check()
    except ValueError as error:
        raise ValueError(f"data.corpus.{error}") from error
    start, most = Start.parse(planned.resume), planned.trainer.get("max_steps") or -1
    if (
        planned.branch_from is not None
        and start.run is None
        and not _has_branched(planned, Path(parts.get("runs", "runs")))
    ):
        check_branch(planned)
    if start.run is not None:
        change = extension(start.run, planned.identity())
        done = check_start(start.run, start)
        if change and most > 0:
            check_length(start.run, planned.trainer, most, done)
        check_text(start.run, planned)
    if most > 0:
        try:
            planned.schedule.kept(Horizon(most))  # max_epochs can only make the run shorter than this
        except ValueError as error:
            raise ValueError(f"schedule.{error}") from error
    return planned


def _has_branched(plan: "TrainingPlan", runs: Path) -> bool:
    """Whether a branch with this plan has begun: it goes on by itself, even if its parent's state is gone."""
    target, found = Target.parse(str(plan.branch_from)), []
    for path in (runs / "train").glob("*/run.json"):
        try:
            record = RunRecord.read(path.parent)
        except ValueError:  # a damaged run is told by whoever uses it
            continue
        parent = record.parent if record else None
        if record and parent and (parent.folder, f"step{parent.step}") == (target.run, target.name):
            found.append(record.plan == json.loads(json.dumps(as_recorded(path.parent, plan.identity()))))
    return any(found)


def recorded(run: Path) -> "TrainingPlan":
    """How a run was trained, read from its config.yaml. Raises BadInput or ValueError if that is no longer valid."""
    said = read(run)
    with readable():
        return plan(
            build(OmegaConf.create({key: said[key] for key in (*deciding_keys("train"), "cache") if key in said}))
        )


def execute(plan: "TrainingPlan", folder: Path, config: DictConfig, wait: float = 0.0) -> int:
    """Train in `folder`, or continue a run that was stopped; a finished run is not changed.

    Args:
        wait: Seconds to wait for another process that is training the same run.
    """
    from tl_search.training.fit import fit

    if wait and (folder / "run.lock" / "owner.json").exists():
        log.info("%s: another process is training this run; waiting until it ends", folder)
    with RunLock(folder, wait=wait):
        if Start.parse(plan.resume).run is None:
            begin(folder, "train", config)
            fit(plan, folder)
        else:
            fit(plan, folder, accepted=lambda: _renew(folder, config))
    if not is_tried(config):
        log.info("%s: the training is complete; to search it: tl search %s", folder, folder)
    return DONE


def _renew(folder: Path, config: DictConfig) -> None:
    renew(folder, "train", config)
    permit(folder)


def _parts() -> tuple[type, ...]:
    from tl_search.training.plan import TrainingPlan

    return (TrainingPlan,)


COMMAND = Command(
    name="train",
    summary="train a language model and save checkpoints at the steps of a schedule\n\n"
    "The name of the run directory is derived from the settings, so the same command continues a run that was stopped.",
    usage="[SETTING=VALUE ...]",
    examples=(
        ("tl train", "train a small model on the source code of Python's standard library"),
        (
            "tl train trainer.fast_dev_run=true",
            "try it: a few steps, and nothing is kept; debug=true has a small model",
        ),
        ("tl train schedule=linear schedule.linear_interval=50", "write a checkpoint every 50 steps"),
        ("tl train resume=runs/train/RUN trainer.max_steps=40000", "continue a run, finished or not, up to step 40000"),
        (
            "tl train branch_from=runs/train/RUN@step500 curriculum=two_stage",
            "a new run that begins with that state of RUN; see docs/curricula.md",
        ),
        ("tl train -m schedule=log,linear seed=0,1", "train four models, one after the other"),
    ),
    bare=(),
    plan=plan,
    execute=execute,
    parts=_parts,
    places=("ledger", "embeddings"),
    resumes=True,
)
