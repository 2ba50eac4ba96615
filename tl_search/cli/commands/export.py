"""`tl export`: writes an arm, by default the answer of a search, as a model that sentence-transformers loads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from tl_search.cli.command import Command
from tl_search.cli.config.build import build, construct
from tl_search.cli.config.convert import convert
from tl_search.cli.config.hydra_errors import readable
from tl_search.cli.config.recorded import read
from tl_search.errors.exit_codes import DONE
from tl_search.errors.nearest import no_folder, suggest
from tl_search.plane.arm_name import ArmName
from tl_search.plane.extraction import Extraction
from tl_search.plane.readout import Readout
from tl_search.plane.revision import Revision
from tl_search.runs.layout import RunPaths

if TYPE_CHECKING:
    from tl_search.checkpoints.source import CheckpointSource
    from tl_search.report.findings import Findings


@dataclass(frozen=True)
class ExportPlan:
    """Which arm of which search is written where."""

    findings: "Findings"
    source: "CheckpointSource"
    revision: Revision
    arm: ArmName
    readout: Readout
    texts: tuple[str, ...]
    extraction: Extraction
    to: Path
    overwrite: bool
    licence: str | None
    hub: str | None

    @property
    def remote(self) -> str | None:
        """What is exchanged with the Hub, beside the checkpoints."""
        return self.hub


def plan(parts: Mapping[str, Any]) -> ExportPlan:
    """What to export. Raises ValueError."""
    from tl_search.export.arm import is_export
    from tl_search.export.publish import check_target
    from tl_search.report.findings import read_findings

    run, to = (Path(convert(parts[key], str, key)) for key in ("run", "to"))
    overwrite, arm_name = convert(parts["overwrite"], bool, "overwrite"), convert(parts["arm"], str | None, "arm")
    hub = convert(parts["push_to_hub"], str | None, "push_to_hub")
    licence = _licence(convert(parts["license"], str | None, "license"))
    if not run.is_dir():
        raise ValueError(f"run: {no_folder(run)}")
    if not RunPaths(run).is_search:
        way = f"; tl search {run} finds its best arm" if RunPaths(run).is_training else ""
        raise ValueError(f"run: must be a search, got {run}, which has no plane.json{way}")
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        if not overwrite:
            raise ValueError(f"to: {to} exists; overwrite=true replaces it if it is an export")
        if not is_export(to):
            raise ValueError(f"to: {to} is no export, so it is not overwritten")
    findings = read_findings(run)
    arm = _arm(findings, arm_name)
    wanted = findings.plane.revisions[findings.plane.at(arm)[0]]
    plain = {key: value for key, value in findings.plane.extraction.items() if key not in ("padding", "positions")}
    source = _source(run)
    readout = construct(Readout, dict(findings.plane.readouts[arm.readout]))
    fitted = findings.plane.fitted_on
    texts = () if readout.is_raw or fitted is None else fitted.read(run)
    revision, extraction = _still_there(source, wanted), construct(Extraction, plain)
    if hub is not None:
        check_target(hub)
    return ExportPlan(findings, source, revision, arm, readout, texts, extraction, to, overwrite, licence, hub)


def _licence(given: str | None) -> str | None:
    """What the Hub takes for a licence: a short word such as apache-2.0."""
    if given is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,39}", given):
        raise ValueError(f"license: must be a licence as the Hub names them, such as apache-2.0, got {given!r}")
    return given


def _arm(findings: "Findings", given: str | None) -> ArmName:
    plane = findings.plane
    if given is None:
        if findings.outcome is None:
            raise ValueError("arm: must be given, like step1000:5, since the search is not finished")
        return findings.outcome.named.arm
    try:
        arm = ArmName.parse(str(given))
    except ValueError as error:
        raise ValueError(f"arm: {error}") from error
    names = [revision.name for revision in plane.revisions]
    if arm.revision not in names:
        raise ValueError(f"arm: no revision {arm.revision} was searched{suggest(arm.revision, names)}")
    if arm.layer > plane.n_layers:
        raise ValueError(f"arm: must have a layer of 0..{plane.n_layers}, got {arm.layer}")
    if arm.readout not in plane.readouts:
        raise ValueError(f"arm: no readout {arm.readout} was searched{suggest(arm.readout, plane.readouts)}")
    return arm


def _source(run: Path) -> "CheckpointSource":
    """Where the search had its revisions from."""
    said = read(run)
    if "checkpoints" not in said:
        raise ValueError(f"{RunPaths(run).config}: does not say where the searched checkpoints are")
    with readable():
        return build(OmegaConf.create({"checkpoints": said["checkpoints"]}))["checkpoints"]


def _still_there(source: "CheckpointSource", wanted: Revision) -> Revision:
    """The revision, with the weights that were searched."""
    try:
        found = {revision.weights: revision for revision in source.revisions()}
    except ValueError as error:
        raise ValueError(f"arm: the searched checkpoints cannot be read ({error})") from error
    if wanted.weights not in found:
        named = wanted.name in {revision.name for revision in found.values()}
        what = "has other weights now" if named else "is no longer there"
        raise ValueError(f"arm: {wanted.name} {what}; only what was searched can be exported")
    return found[wanted.weights]


def execute(plan: ExportPlan, folder: Path, config: DictConfig) -> int:
    """Write the folder, and print what it is and the lines that load it."""
    from tl_search.checkpoints.hub import HubCheckpoints
    from tl_search.export.arm import export
    from tl_search.export.publish import claim, upload
    from tl_search.report.model_card import render_card, takes_window, usage

    if plan.hub is not None:
        claim(plan.hub, plan.overwrite)
    base, licence = None, plan.licence
    if isinstance(plan.source, HubCheckpoints):
        base, licence = plan.source.model, licence or plan.source.licence()
    name = plan.hub or plan.to.name
    card, source = render_card(plan.findings, plan.arm, base, licence, name), plan.source.fetch(plan.revision)
    done = export(source, plan.revision, plan.arm.layer, plan.extraction, card, plan.to, plan.readout, plan.texts)
    readout = "" if plan.arm.is_raw else f" with the readout {plan.arm.readout}"
    loading = usage(done.folder, takes_window(plan.findings.plane, plan.arm))
    if plan.hub is not None:
        try:
            address = upload(plan.hub, done.folder, f"{plan.arm} of {plan.findings.plane.model}")
        except (ValueError, OSError) as error:
            again = f"{done.folder} is whole; overwrite=true uploads it, or `hf upload {plan.hub} {done.folder} .`"
            raise type(error)(f"{error}; {again}") from error
        print(f"{address}: uploaded")
    print(
        f"{done.folder}: layer {plan.arm.layer} of {plan.revision.name}{readout}, {done.blocks} of {done.whole} "
        f"blocks; its vectors are those of the search to {done.apart:.0e} of their length\n\n{loading}"
    )
    return DONE


COMMAND = Command(
    name="export",
    summary="write the best arm of a search as a model that sentence-transformers loads\n\n"
    "Blocks that the arm does not need are left out. The folder is loaded again and compared with the searched\n"
    "vectors before it gets its name. It holds no code, and a model card that tells how the arm was chosen.",
    usage="RUN to=FOLDER [arm=REVISION:LAYER[:READOUT]]",
    examples=(
        ("tl export runs/search/RUN to=best-model", "export the answer of a search"),
        ("tl export runs/search/RUN to=other arm=step1000:5", "export another arm of its plane"),
        ("tl export runs/search/RUN to=best-model overwrite=true", "replace an earlier export"),
        ("tl export runs/search/RUN to=best-model push_to_hub=me/best-model", "upload it to the Hub as well"),
    ),
    bare=("run={}",),
    plan=plan,
    execute=execute,
    settings=("run", "to", "arm", "overwrite", "license", "push_to_hub"),
    makes_run=False,
)
