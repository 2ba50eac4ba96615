"""A search from its parts to its answer: plane, loop, confirmation, result."""

import importlib.metadata
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_search import __version__
from tl_search.bandits.policy import Problem
from tl_search.bandits.stopping import Stopping
from tl_search.checkpoints.source import CheckpointSource
from tl_search.plane.arm import Arm, Plane
from tl_search.plane.costs import AnalyticCosts, CostTable
from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Objective
from tl_search.plane.pull import Cost, TaskSpec
from tl_search.plane.sampling import Sampling
from tl_search.probe.config import ProbeConfig, check_device, settled
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.suites import Suite
from tl_search.search.budget import Budget
from tl_search.search.column import Workshop
from tl_search.search.confirm import Confirm, Confirmation, Finalists
from tl_search.search.loop import Search
from tl_search.search.measure import ColumnMeasurements, draw_corpus
from tl_search.search.prefetch import Weights
from tl_search.search.texts import SuiteTexts
from tl_search.search.trajectory import Trajectory
from tl_search.store.arrays import ArrayStore
from tl_search.store.atomic import read_json, sweep_litter, write_json

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

log = logging.getLogger(__name__)

PACKAGES = ("torch", "lightning", "transformers", "mteb", "scikit-learn", "numpy", "scipy")


@dataclass(frozen=True)
class SearchPlan:
    """Everything that a search is made of.

    Args:
        source: Where revisions come from.
        sampling: Which of them form the plane.
        extraction: How texts become vectors.
        probe: Devices and batch sizes.
        tasks: The suite and its two splits.
        objective: How tasks add up.
        bandit: The policy's config; its `start(problem)` gives the policy.
        costs: How pulls are priced.
        stopping: When enough is known.
        budget: How much may be spent.
        confirm: How finalists are measured.
        seed: Of the policy.
        ledger: Folder of all scores, shared by runs.
        embeddings: Folder of all vectors, shared by runs.
        metrics: What is measured without labels.
    """

    source: CheckpointSource
    sampling: Sampling
    extraction: Extraction
    probe: ProbeConfig
    tasks: Suite
    objective: Objective
    bandit: Any
    costs: AnalyticCosts
    stopping: Stopping
    budget: Budget
    confirm: Confirm
    seed: int
    ledger: Path
    embeddings: Path
    metrics: MetricsConfig = field(default_factory=MetricsConfig)


def run_search(plan: SearchPlan, folder: Path) -> int:
    """Search the plane and leave the answer in `folder`; the same call resumes what was interrupted.

    Returns 0, or 3 when some cell could not be scored.
    """
    from tl_search.probe.session import ProbeSession

    if (folder / "DONE.json").exists():
        log.info("%s: this search is done", folder)
        return int(read_json(folder / "DONE.json")["exit_code"])
    with ProbeSession(plan.probe) as session:
        return _search(plan, folder, session)


def _search(plan: SearchPlan, folder: Path, session: "ProbeSession") -> int:
    from tl_search.scoring.resample import check_confirmable

    sweep_litter(folder)
    plane = survey(plan)
    # what cannot be measured or confirmed is said now, not when the search is over
    measured = folder / "cache" / "metrics"
    corpus = draw_corpus(plan.tasks.corpus_texts(), plan.metrics) if plan.metrics.columns is not Columns.none else None
    weights_of = Weights(plan.source.fetch)
    if plan.metrics.only and corpus is not None:
        _write_plane(folder, plan, plane, {"tasks": []})
        measurements = ColumnMeasurements(plane, corpus, plan.metrics, session, weights_of, measured)
        failed = measurements.measure(plane.revisions)
        exit_code = 3 if failed else 0
        write_json(folder / "DONE.json", {"exit_code": exit_code, "unmeasured": failed})
        return exit_code
    selection = _texts(plan, plan.tasks.selection(), plan.tasks.selection_split)
    held_out = _texts(plan, plan.tasks.confirmation(), plan.tasks.confirmation_split)
    for task in held_out.tasks:
        check_confirmable(task)
    weights = plan.objective.weights(selection.tasks)
    parameters = plan.source.shape().parameters
    table = plan.costs.table(parameters, selection.sizes())
    exhaustive = table.exhaustive(len(plane.revisions), len(plane.layers))
    _write_plane(folder, plan, plane, _charged(plan, selection.tasks, weights, table, exhaustive))
    log.info(
        "plane of %s: %d revisions × %d layers = %d arms, %d tasks",
        *(plane.model, len(plane.revisions), len(plane.layers), len(plane.arms()), len(selection.tasks)),
    )

    problem = Problem(plane, tuple(weights), weights, table, plan.seed)
    policy = plan.bandit.start(problem)
    about = {"model": plane.model, "policy": type(plan.bandit).__name__.lower()}
    trajectory = Trajectory(folder, about, exhaustive.total)
    stores = ArrayStore(plan.embeddings), Ledger(plan.ledger)
    workshop = Workshop(weights_of, plane, selection, session, *stores)
    started = time.monotonic()
    budget = plan.budget if getattr(plan.bandit, "budgeted", True) else Budget(share=None)
    search = Search(problem, policy, workshop, selection.tasks, budget, plan.stopping, trajectory)
    stopped = search.run()
    searched = time.monotonic()
    log.info("search ended (%s) after %d pulls; confirming", stopped, len(trajectory.steps))

    finalists = choose(search, plan.confirm.controls)
    costs = plan.costs.table(parameters, held_out.sizes())
    confirmation = Confirmation(workshop.on(held_out), held_out.tasks, weights, plan.confirm, costs)
    confirmation.measure(finalists)
    confirmed = time.monotonic()
    result = _result(search, finalists, confirmation, stopped, exhaustive)
    exit_code = 3 if search.failures or confirmation.failures else 0
    result["seconds"] = {
        "search": round(searched - started, 1),
        "confirmation": round(confirmed - searched, 1),
    }
    workshop.ledger.export([*search.used, *confirmation.used], folder / "scores")
    write_json(folder / "result.json", result)
    if corpus is not None:  # last: the answer is there, whatever becomes of this
        opened = {arm.revision: None for arm in (*search.points, *finalists.controls)}
        measurements = ColumnMeasurements(plane, corpus, plan.metrics, session, weights_of, measured)
        result["unmeasured"] = measurements.measure(plane.revisions if plan.metrics.columns is Columns.all else opened)
        write_json(folder / "result.json", result)
        exit_code = 3 if result["unmeasured"] else exit_code
    write_json(folder / "DONE.json", {"exit_code": exit_code, "pulls": len(trajectory.steps)})
    return exit_code


def survey(plan: SearchPlan) -> Plane:
    """The plane that the plan's sampling makes of its source's revisions.

    Raises:
        ValueError: no time axis to search, since there are fewer than two revisions, which measuring alone does not
            need; or the probe's device is not here.
    """
    check_device(plan.probe)
    revisions = plan.sampling.pick(plan.source.revisions())
    if len(revisions) < 2 and not plan.metrics.only:
        few = f"{plan.source.model} has {len(revisions)} revision(s)"
        raise ValueError(f"checkpoints: {few}; a search needs two (metrics.only=true measures one)")
    extraction = settled(plan.extraction, plan.probe.accelerator)
    return Plane(plan.source.model, tuple(revisions), plan.source.shape().n_layers, extraction)


def choose(search: Search, with_controls: bool) -> Finalists:
    """The finalists, by selection scores alone."""
    plane, points = search.problem.plane, search.points
    first, final = plane.column(plane.revisions[0]), plane.column(plane.revisions[-1])
    whole = {arm: value for arm in final if (value := search.objective(arm)) is not None}
    best = search.policy.recommend().arm
    trained = {
        task.name: max(arms, key=lambda arm: points[arm][task.name])
        for task in search.tasks
        if (arms := [a for a in points if a.revision.step and a.layer and task.name in points[a]])
    }
    columns = dict.fromkeys([best.revision, final[0].revision, *(arm.revision for arm in trained.values())])
    controls = {plane.arm(revision, 0): None for revision in columns}
    if first[0].revision.step == 0:
        controls.update(dict.fromkeys(first))
    return Finalists(best, final[-1], max(whole, key=whole.__getitem__), trained, tuple(controls) * with_controls)


def _texts(plan: SearchPlan, tasks: tuple[TaskSpec, ...], split: str) -> SuiteTexts:
    return SuiteTexts(tasks, plan.tasks.texts(split, plan.ledger / "texts"))


def _charged(
    plan: SearchPlan, tasks: Sequence[TaskSpec], weights: Mapping[str, float], table: CostTable, exhaustive: Cost
) -> dict[str, Any]:
    """What is scored on the plane, and at which prices."""
    return {
        "tasks": [asdict(task) for task in tasks],
        "confirmation_split": plan.tasks.confirmation_split,
        "same_split": plan.tasks.same_split,
        "weights": dict(weights),
        "costs": {"load": table.load, "embed": dict(table.embed), "score": dict(table.score)},
        "exhaustive": _seconds(exhaustive),
        "seed": plan.seed,
    }


def _write_plane(folder: Path, plan: SearchPlan, plane: Plane, charged: Mapping[str, Any]) -> None:
    """Raises ValueError when the folder's search began with something else: its decisions are not to be mixed."""
    path = folder / "plane.json"
    about = {
        "model": plane.model,
        "revisions": [asdict(revision) for revision in plane.revisions],
        "n_layers": plane.n_layers,
        "parameters": plan.source.shape().parameters,
        "extraction": plane.extraction.identity(),
        **charged,
        "versions": {"tl_search": __version__, **{name: importlib.metadata.version(name) for name in PACKAGES}},
    }
    if path.exists():
        before, now = read_json(path), json.loads(json.dumps(about))
        changed = [key for key in now if key != "versions" and before.get(key) != now[key]]
        if changed:
            raise ValueError(
                f"{path}: since this search began, its {', '.join(changed)} changed; "
                "begin another run (name=...), which finds all scores in the ledger"
            )
    write_json(path, about)


def _result(
    search: Search, finalists: Finalists, confirmation: Confirmation, stopped: str, exhaustive: Cost
) -> dict[str, Any]:
    def finalist(arm: Arm) -> dict[str, Any]:
        return {
            "arm": [arm.revision.name, arm.layer],
            "selection": {"objective": search.objective(arm), "tasks": search.points.get(arm, {})},
            "confirmation": confirmation.describe(arm),
        }

    spent = search.spending.spent
    return {
        "best": finalist(finalists.best),
        "final_last": finalist(finalists.final_last),
        "final_best": finalist(finalists.final_best),
        "gains": {
            "final_last": confirmation.gain(finalists.best, finalists.final_last),
            "final_best": confirmation.gain(finalists.best, finalists.final_best),
        },
        "confidence": confirmation.settings.confidence,
        "tasks": confirmation.verdicts(finalists),
        "cost": {
            "search": _seconds(spent),
            "exhaustive": _seconds(exhaustive),
            "confirmation": _seconds(confirmation.spending.spent),
            "share": round(spent.total / exhaustive.total, 4),
        },
        "stopped": stopped,
        "pulls": len(search.trajectory.steps),
        "arms_scored": len(search.points),
        "left_out": confirmation.left_out,
        "skipped": [
            {"arm": [arm.revision.name, arm.layer], "task": task, "reason": reason}
            for (arm, task), reason in [
                *search.failures.items(),
                *((cell, f"confirmation: {reason}") for cell, reason in confirmation.failures.items()),
            ]
        ],
    }


def _seconds(cost: Cost) -> dict[str, float]:
    return {name: round(value, 4) for name, value in {**asdict(cost), "total": cost.total}.items()}
