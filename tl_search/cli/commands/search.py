"""`tl search`: the best embedding model on the plane of a training run."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.config.build import construct
from tl_search.cli.config.recorded import begin
from tl_search.errors.nearest import no_folder
from tl_search.store.lock import RunLock

if TYPE_CHECKING:
    from tl_search.search.run import SearchPlan


def plan(parts: Mapping[str, Any]) -> "SearchPlan":
    """The search that the parts of a config make up. Raises ValueError."""
    path = getattr(parts["checkpoints"], "path", None)
    if path is not None and not Path(path).is_dir():
        hint = "tl train makes one, or tl run does both"
        raise ValueError(f"checkpoints.path: {no_folder(Path(path), hint)}")
    return assemble(parts)


def assemble(parts: Mapping[str, Any]) -> "SearchPlan":
    """The plan, whether or not its checkpoints exist yet."""
    from tl_search.search.run import SearchPlan

    names = {field.name for field in fields(SearchPlan)}
    return construct(SearchPlan, {name: part for name, part in parts.items() if name in names})


def execute(plan: "SearchPlan", folder: Path, config: DictConfig, command: str = "search") -> int:
    """Search, or go on where it stopped, and report. Returns 0, or 3 when some cell could not be scored."""
    from tl_search.report.write import write_report
    from tl_search.search.run import run_search

    with RunLock(folder):
        begin(folder, command, config)
        code = run_search(plan, folder)
        write_report(folder)
    return code


def _parts() -> tuple[type, ...]:
    from tl_search.search.run import SearchPlan

    return (SearchPlan,)


COMMAND = Command(
    name="search",
    summary="search the plane (checkpoint x layer) of a training run for its best embedding model\n\n"
    "Scores and embeddings are kept and shared by all searches; nothing is computed twice, whatever was interrupted.",
    usage="[TRAINING_RUN] [SETTING=VALUE ...]",
    examples=(
        ("tl search runs/train/RUN", "search what tl train has left there"),
        (
            "tl search runs/train/RUN bandit=ts sampling=log budget.share=0.1",
            "another policy, a finer plane, less spent",
        ),
        ("tl search runs/train/RUN metrics=all", "metrics without labels of every arm besides"),
        ("tl search runs/train/RUN metrics=fast metrics.only=true", "those alone: no task is scored"),
        ("tl search runs/train/RUN -m bandit=ucb,ts,random seed=0,1,2", "nine searches that share every score"),
    ),
    bare=("checkpoints=run", "checkpoints.path={}"),
    plan=plan,
    execute=execute,
    parts=_parts,
)
