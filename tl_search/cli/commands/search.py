"""`tl search`: finds the best embedding model on the plane of a training run."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from tl_search.cli.command import Command
from tl_search.cli.config.build import construct
from tl_search.cli.config.recorded import begin
from tl_search.cli.config.tried import is_tried
from tl_search.errors.nearest import no_folder
from tl_search.store.lock import RunLock

if TYPE_CHECKING:
    from tl_search.search.run import SearchPlan


def plan(parts: Mapping[str, Any]) -> "SearchPlan":
    """The search plan that the parts of a config make up. Raises ValueError."""
    path = getattr(parts.get("checkpoints"), "path", None)
    if path is not None and not Path(path).is_dir():
        hint = "tl train makes a training run, and tl run trains and searches"
        if re.fullmatch(r"pythia-\w+|\w[\w.-]*/[\w.-]+", str(path)) and not (
            "/" in path and Path(path).parent.is_dir()
        ):
            hint = f"for a model of the Hub: checkpoints=hub checkpoints.models=[{path}]"
        raise ValueError(f"checkpoints.path: {no_folder(Path(path), hint)}")
    from tl_search.search.picked import check_names

    planned = assemble(parts)
    if check := getattr(planned.checkpoints, "check", None):
        try:
            check()
        except ValueError as error:
            raise ValueError(f"checkpoints.{error}") from error
    check_names(planned.checkpoints, planned.sampling)
    return planned


def assemble(parts: Mapping[str, Any]) -> "SearchPlan":
    """The search plan, without a check that its checkpoints exist."""
    from tl_search.search.needed_texts import check_texts
    from tl_search.search.run import SearchPlan

    try:
        getattr(parts.get("checkpoints"), "model", None)
    except ValueError as error:
        raise ValueError(f"checkpoints.{error}") from error
    names = {field.name for field in fields(SearchPlan)}
    planned = construct(SearchPlan, {name: part for name, part in parts.items() if name in names})
    try:
        planned.tasks.check()
    except ValueError as error:
        raise ValueError(f"tasks.{error}") from error
    check_texts(planned.readout, planned.metrics, planned.tasks)
    return planned


def execute(plan: "SearchPlan", folder: Path, config: DictConfig, command: str = "search") -> int:
    """Search, or continue a search that was stopped, and report. Returns 0, or 3 if some cell could not be scored."""
    from tl_search.cli.launch import one_of_several
    from tl_search.report.write import write_report
    from tl_search.search.rehearsal import rehearsed
    from tl_search.search.run import run_search

    with RunLock(folder):
        begin(folder, command, config)
        code = run_search(rehearsed(plan), folder)
        write_report(folder, summary=not one_of_several(), kept=not is_tried(config))
    return code


def _parts() -> tuple[type, ...]:
    from tl_search.search.run import SearchPlan

    return (SearchPlan,)


COMMAND = Command(
    name="search",
    summary="find the best embedding model among the arms, the pairs of checkpoint and layer, of a training run\n\n"
    "All searches share their scores and embeddings, so nothing is computed twice, even after an interruption.",
    usage="[TRAINING_RUN] [SETTING=VALUE ...]",
    examples=(
        ("tl search runs/train/RUN", "search a run of tl train"),
        (
            "tl search runs/train/RUN bandit=ts sampling=log budget.share=0.1",
            "with another policy, more checkpoints and a smaller budget",
        ),
        (
            "tl search runs/train/RUN debug=true",
            "try it with few checkpoints and quick tasks; nothing is kept",
        ),
        ("tl search runs/train/RUN metrics=all", "also measure label-free metrics of every arm"),
        ("tl search runs/train/RUN metrics=fast metrics.only=true", "measure the fast metrics only, score no task"),
        ("tl search runs/train/RUN -m bandit=ucb,ts,random seed=0,1,2", "run nine searches, which share their scores"),
    ),
    bare=("checkpoints=run", "checkpoints.path={}"),
    plan=plan,
    execute=execute,
    parts=_parts,
)
