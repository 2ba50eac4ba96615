"""`tl evaluate`: the eval loss of a revision, measured once more and compared with what the run recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.build import build
from tl_search.cli.commands import Command
from tl_search.cli.errors import DONE, INCOMPLETE, nearest
from tl_search.cli.identity import KEYS
from tl_search.cli.mistakes import readable

if TYPE_CHECKING:
    from tl_search.training.fit import TrainingPlan


@dataclass(frozen=True)
class Evaluated:
    """A revision of a run, and how the run was trained."""

    run: Path
    name: str
    training: "TrainingPlan"


def plan(parts: Mapping[str, Any]) -> Evaluated:
    """The revision that `RUN@NAME` names. Raises ValueError."""
    from tl_search.store.manifest import verify
    from tl_search.training.evaluate import revision_names

    run, name = _split(str(parts["run"]))
    if not run.is_dir():
        raise ValueError(f"run: there is no folder {run}")
    if not (run / "config.yaml").is_file() or not (run / "revisions").is_dir():
        raise ValueError(f"run: {run} is no training run (it needs config.yaml and revisions/)")
    names = revision_names(run)
    if name not in names:
        raise ValueError(f"run: {run} has no revision {name!r}{nearest(name, names)}")
    verify(run / "revisions" / name)
    return Evaluated(run, name, _training(run))


def _split(text: str) -> tuple[Path, str]:
    run, at, name = text.rpartition("@")
    return (Path(run), name) if at and not Path(text).exists() else (Path(text), "main")


def _training(run: Path) -> "TrainingPlan":
    from tl_search.cli import train

    with readable():
        recorded = OmegaConf.load(run / "config.yaml")
        assert isinstance(recorded, DictConfig)
        kept = {key: recorded[key] for key in (*KEYS["train"], "cache") if key in recorded}
        return train.plan(build(OmegaConf.create(kept)))


def execute(plan: Evaluated, folder: Path, config: DictConfig) -> int:
    from tl_search.training.evaluate import evaluate

    found = evaluate(plan.training, plan.run, plan.name)
    print(found)
    return DONE if found.agrees else INCOMPLETE


COMMAND = Command(
    name="evaluate",
    summary="measure a revision's eval loss and perplexity anew, and compare them with the recorded ones\n\n"
    "Uses the run's own settings, held-out text and weights, and changes nothing in it. Ends with 3 if they disagree.",
    usage="RUN[@stepN|@best|@main]",
    examples=(
        ("tl evaluate runs/train/RUN", "the final model"),
        ("tl evaluate runs/train/RUN@best", "the revision with the lowest eval loss"),
        ("tl evaluate -m run=runs/train/RUN@step100,runs/train/RUN@step200", "several, one after the other"),
    ),
    bare=("run={}",),
    plan=plan,
    execute=execute,
)
