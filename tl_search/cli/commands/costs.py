"""`tl costs`: measures on this machine what a pull costs, and writes the table that a search uses."""

import datetime
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from tl_search.checkpoints.source import CheckpointSource
from tl_search.cli.command import Command
from tl_search.cli.config.convert import convert
from tl_search.errors.exit_codes import DONE
from tl_search.errors.limits import between
from tl_search.errors.nearest import no_folder
from tl_search.errors.printable import printable
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.extraction import Extraction
from tl_search.probe.config import ProbeConfig, check_device
from tl_search.scoring.suites import Suite
from tl_search.store.atomic import write_text

if TYPE_CHECKING:
    from tl_search.search.calibration import Calibration

FOLDER = "costs"  # Hydra's group, so a file in a folder of this name is an option


@dataclass(frozen=True)
class CostsPlan:
    """What is measured, and where the table is written; `output` None: it is only printed."""

    checkpoints: CheckpointSource
    extraction: Extraction
    probe: ProbeConfig
    tasks: Suite
    costs: AnalyticCosts
    per_type: int | None
    output: Path | None
    ledger: Path


def plan(parts: Mapping[str, Any]) -> CostsPlan:
    """What the settings ask for. Raises ValueError."""
    for name, kind in (("checkpoints", CheckpointSource), ("tasks", Suite), ("costs", AnalyticCosts)):
        convert(parts[name], kind, name)
    path = getattr(parts["checkpoints"], "path", None)
    if path is not None and not Path(path).is_dir():
        raise ValueError(f"checkpoints.path: {no_folder(Path(path))}")
    per_type = convert(parts["per_type"], int | None, "per_type")
    between(1, 10**6, per_type=per_type)
    output = convert(parts["output"], Path | None, "output")
    if output is not None:
        _check_output(output)
    try:
        parts["tasks"].check()
    except ValueError as error:
        raise ValueError(f"tasks.{error}") from error
    check_device(parts["probe"])
    given = {field.name: parts[field.name] for field in fields(CostsPlan) if field.name in parts}
    return CostsPlan(**given | {"per_type": per_type, "output": output, "ledger": Path(str(parts["ledger"]))})


def _check_output(output: Path) -> None:
    if output.suffix != ".yaml" or output.absolute().parent.name != FOLDER or output.is_dir():
        hint = f"{FOLDER}/laptop.yaml, which {FOLDER}=laptop uses"
        raise ValueError(f"output: must be a .yaml file in a folder named {FOLDER}, such as {hint}; got {output}")
    if output.stem == "analytic":
        raise ValueError(f"output: must have another name than {FOLDER}=analytic, which there is already, got {output}")


def execute(plan: CostsPlan, folder: Path, config: DictConfig) -> int:
    """Measure, print the table, and write the file that `output` names."""
    from tl_search.probe.session import ProbeSession
    from tl_search.search.calibration import calibrate

    with ProbeSession(plan.probe) as session:
        tell = partial(print, file=sys.stderr, flush=True)
        about = (plan.checkpoints, plan.extraction, plan.tasks, plan.costs, plan.per_type)
        found = calibrate(*about, session, plan.ledger, lambda line: tell(printable(line)))
    text = _as_option(found, plan.probe.accelerator)
    if plan.output is None:
        print(text, end="")
        return DONE
    write_text(plan.output, text)
    print(f"written to {printable(plan.output)}; to use it: tl search RUN {FOLDER}={printable(plan.output.stem)}")
    return DONE


def _as_option(found: "Calibration", accelerator: str) -> str:
    """The file of an option of Hydra's group `costs`."""
    costs = found.costs
    about = [
        f"Seconds of pulls, measured by tl costs on {datetime.date.today().isoformat()}: {os.cpu_count()} CPU cores, "
        f"accelerator={accelerator}.",
        f"Model: {printable(found.model)}, {found.parameters:,} parameters; {found.texts:,} texts were embedded.",
        *(f"{kind}: {', '.join(map(printable, tasks))}" for kind, tasks in found.tasks.items()),
        *([] if found.opened else ["open and read were not measured: the model has one revision."]),
        "Types of tasks that are not named here have times that were not measured.",
        "A score's seconds are those of one process, however many cells are scored at once.",
    ]
    node = {"_target_": f"{AnalyticCosts.__module__}.{AnalyticCosts.__qualname__}"}
    node |= {field.name: getattr(costs, field.name) for field in fields(AnalyticCosts)}
    return "".join(f"# {line}\n" for line in about) + OmegaConf.to_yaml(OmegaConf.create(node))


COMMAND = Command(
    name="costs",
    summary="measure on this machine what opening, embedding and scoring cost, as a table for tl search\n\n"
    "A search decides by such a table and not by a clock, so that it can be repeated exactly. The table that it uses\n"
    "without this command has the speed of two CPU cores. The last checkpoint embeds the texts of one task of each\n"
    "type (per_type), and three of its layers are scored on each. Nothing else should run on the machine meanwhile.",
    usage="[TRAINING_RUN] [output=costs/NAME.yaml] [SETTING=VALUE ...]",
    examples=(
        ("tl costs runs/train/RUN", "measure with the embedded tasks, and print the table"),
        ("tl costs runs/train/RUN output=costs/laptop.yaml", "write it; tl search RUN costs=laptop decides by it"),
        ("tl costs runs/train/RUN tasks=mteb_validation per_type=null", "measure all tasks of another suite"),
    ),
    bare=("checkpoints=run", "checkpoints.path={}"),
    plan=plan,
    execute=execute,
    settings=("checkpoints", "extraction", "probe", "tasks", "costs", "per_type", "output"),
    places=("ledger",),
    makes_run=False,
)
