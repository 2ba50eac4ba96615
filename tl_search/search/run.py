"""A search from start to end: makes the plane, runs the loop, confirms the finalists, writes the result."""

import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tl_search.bandits.policy import PolicyConfig, Problem
from tl_search.bandits.stopping import Stopping
from tl_search.checkpoints.source import CheckpointSource
from tl_search.errors.exit_codes import DONE, INCOMPLETE
from tl_search.plane.arm import Plane
from tl_search.plane.costs import AnalyticCosts
from tl_search.plane.extraction import Extraction
from tl_search.plane.objective import Objective
from tl_search.plane.pull import TaskSpec
from tl_search.plane.readout import Readouts
from tl_search.plane.sampling import Sampling
from tl_search.probe.config import ProbeConfig, check_device, settled
from tl_search.probe.measuring.config import Columns, MetricsConfig
from tl_search.runs.layout import RunPaths
from tl_search.runs.outcome import Cut, Searched
from tl_search.runs.record import Done
from tl_search.runs.searched_plane import FittedOn, Prices, ReadoutTexts, SearchedPlane, Seconds
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.parts.splits import share_data
from tl_search.scoring.processes import Scorers, Scoring
from tl_search.scoring.suites import Suite
from tl_search.search.alike import warn_of_equal_columns
from tl_search.search.answer import answer
from tl_search.search.apart import standing_apart, warn_of_columns_apart
from tl_search.search.budget import Budget
from tl_search.search.column import LocalWorker
from tl_search.search.confirm import Confirm, Confirmation
from tl_search.search.finalists import choose
from tl_search.search.finished import check_unchanged, listening, what_is_lost
from tl_search.search.loop import Search
from tl_search.search.measure import ColumnMeasurements, draw_texts
from tl_search.search.measure_readout import measure_under_readout
from tl_search.search.needed_texts import check_texts
from tl_search.search.official import Official
from tl_search.search.picked import lacking, missed, picked, tell_nearest
from tl_search.search.prefetch import Prefetch
from tl_search.search.readouts import check_windows, fitted_readouts, unused_texts
from tl_search.search.storage import HeldColumns, Storage
from tl_search.search.texts import SuiteTexts
from tl_search.search.trajectory import Trajectory
from tl_search.store.arrays import ArrayStore
from tl_search.store.atomic import sweep_litter
from tl_search.store.manifest import file_digest

if TYPE_CHECKING:
    from tl_search.probe.session import ProbeSession

log = logging.getLogger(__name__)

_DEAD = 3600.0  # seconds without a change after which the process that wrote to the shared ledger must have died


@dataclass(frozen=True)
class SearchPlan:
    """Everything that a search is made of.

    Args:
        checkpoints: Where revisions come from.
        sampling: Which of them form the plane.
        extraction: How texts become vectors.
        probe: Devices and batch sizes.
        tasks: The suite and its two splits.
        objective: How tasks add up.
        bandit: The policy's config.
        costs: How pulls are priced.
        stopping: When enough is known.
        budget: How much may be spent.
        confirm: How finalists are measured.
        seed: Random seed of the policy.
        ledger: Folder of all scores, shared by runs.
        embeddings: Folder of all vectors, shared by runs.
        metrics: What is measured without labels.
        readout: What is done with the vectors of a layer.
        scoring: How many cells are scored at once.
        store: How much vectors may take on disk, and whether they are kept.
        debug: Whether the plan is only tried, with few checkpoints and quick tasks (`search/rehearsal.py`).
    """

    checkpoints: CheckpointSource
    sampling: Sampling
    extraction: Extraction
    probe: ProbeConfig
    tasks: Suite
    objective: Objective
    bandit: PolicyConfig
    costs: AnalyticCosts
    stopping: Stopping
    budget: Budget
    confirm: Confirm
    seed: int
    ledger: Path
    embeddings: Path
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    readout: Readouts = field(default_factory=Readouts)
    scoring: Scoring = field(default_factory=Scoring)
    store: Storage = field(default_factory=Storage)
    debug: bool = False

    DECIDES: ClassVar = {
        "files": "checkpoints sampling extraction probe tasks metrics readout objective bandit costs stopping "
        "budget confirm seed",
        "free": "ledger embeddings scoring store debug",
    }


def run_search(plan: SearchPlan, folder: Path) -> int:
    """Search the plane and leave the answer in `folder`; the same call resumes what was interrupted.

    Returns 0, or 3 when some cell could not be scored, or a revision is left out that the sampling asks for.
    """
    done = Done.read(folder)
    with listening() as left_out:
        if done is not None and _still_holds(plan, folder, done):
            log.info("%s: the search is complete", folder)
            return done.exit_code
        check_device(plan.probe)  # before torch and transformers are imported for the session
        plane = survey(plan)
        check_texts(plan.readout, plan.metrics, plan.tasks, fetch=True)
    tell_nearest(plan.checkpoints, plan.sampling)
    absent = lacking(plan.checkpoints, plan.sampling)
    incomplete = bool(absent or missed(plan.checkpoints, plan.sampling))
    from tl_search.probe.session import ProbeSession

    with ProbeSession(plan.probe) as session, Scorers(plan.scoring.count) as scorers:
        return _search(plan, plane, (*left_out, *absent), INCOMPLETE if incomplete else DONE, folder, session, scorers)


def _still_holds(plan: SearchPlan, folder: Path, done: Done) -> bool:
    """Whether a finished search needs nothing: its checkpoints are the same, and its files are there.

    Raises:
        ValueError: it was a search of other checkpoints than there are now.
    """
    try:
        check_unchanged(folder, picked(plan.checkpoints, plan.sampling))
    except OSError as error:  # such as a Hub that does not answer; the answer is still there
        log.warning("%s: not compared with the checkpoints that there are now: %s", folder, error)
    lost = what_is_lost(folder, done)
    if lost:
        log.warning("%s; the search is repeated, with the scores in the ledger", lost)
    return not lost


def _search(
    plan: SearchPlan,
    plane: Plane,
    left_out: tuple[str, ...],
    least: int,
    folder: Path,
    session: "ProbeSession",
    scorers: Scorers,
) -> int:
    """Search `plane` and write the result; `least` is the exit code if nothing fails."""
    from tl_search.scoring.uncertainty.resample import check_confirmable

    sweep_litter(folder)
    sweep_litter(plan.ledger, idle=_DEAD)
    # checked now, so that a search does not fail at its end
    paths = RunPaths(folder)
    prefetch, measurements = Prefetch.of(plan.checkpoints), None
    if plan.metrics.columns is not Columns.none:
        texts = draw_texts(plan.tasks.training_texts(), plan.metrics)
        measurements = ColumnMeasurements(plane, texts, plan.metrics, session, prefetch, paths.metrics)
    parameters, extraction = plan.checkpoints.shape().parameters, plane.extraction.identity()
    searched_plane = SearchedPlane(
        plane.model, plane.revisions, plane.n_layers, parameters, extraction, left_out=left_out
    )
    if plan.metrics.only and measurements is not None:
        searched_plane.begin(folder)
        failed = measurements.measure(plane.revisions)
        exit_code = INCOMPLETE if failed else least
        Done(exit_code, {"unmeasured": failed}).write(folder)
        return exit_code
    selection, held_out = _texts(plan, plan.tasks.selection()), _texts(plan, plan.tasks.confirmation())
    for task in held_out.tasks:
        check_confirmable(task)
    suites = [selection, held_out]
    readouts = fitted_readouts(plan.readout, plan.tasks.training_texts, suites, plane.n_layers, plan.embeddings)
    if readouts is not None:
        ReadoutTexts(readouts.texts).write(folder)
        plane = replace(plane, readouts=plan.readout.used, fitted_on=readouts.digest)
        selection, held_out = (replace(suite, fitted=readouts.texts) for suite in suites)
    weights, reported_on = plan.objective.weights(selection.tasks), [task.split for task in held_out.tasks]
    fitted = sum(map(len, readouts.texts)) if readouts else 0
    table = plan.costs.table(parameters, selection.sizes(), fitted)
    exhaustive = table.exhaustive(len(plane.revisions), plane.width)
    replace(
        searched_plane,
        readouts={one.name: one.identity() for one in plane.readouts},
        fitted_on=FittedOn(plane.fitted_on, len(readouts.texts), readouts.among_scored) if readouts else None,
        tasks=selection.tasks,
        confirmation_split=reported_on[0] if len(set(reported_on)) == 1 else plan.tasks.confirmation_split,
        confirmation_splits=dict(zip(weights, reported_on, strict=True)) if len(set(reported_on)) > 1 else {},
        same_split=any(share_data(task.split, split) for task, split in zip(selection.tasks, reported_on, strict=True)),
        weights=dict(weights),
        costs=Prices(table.load, dict(table.embed), dict(table.score)),
        exhaustive=Seconds.of(exhaustive),
        seed=plan.seed,
    ).begin(folder)
    log.info(
        "plane of %s: %d revisions × %s = %d arms, %d tasks",
        *(plane.model, len(plane.revisions), _width(plane), len(plane.arms()), len(selection.tasks)),
    )

    problem = Problem(plane, tuple(weights), weights, table, plan.seed)
    policy = plan.bandit.start(problem)
    policy_name, sampling = (type(part).__name__.lower() for part in (plan.bandit, plan.sampling))
    about = Searched(plane.model, policy_name, sampling, tuple(weights))
    trajectory = Trajectory(folder, plane.model, about.policy, exhaustive.total)
    vectors, ledger = ArrayStore(plan.embeddings), Ledger(plan.ledger)
    held = HeldColumns(plan.store, vectors, plane, [selection, held_out], readouts)
    worker = LocalWorker(prefetch, plane, selection, session, vectors, ledger, readouts, scorers, held)
    started = time.monotonic()
    budget = plan.budget if plan.bandit.budgeted else Budget(share=None)
    search = Search(problem, policy, worker, selection.tasks, budget, plan.stopping, trajectory)
    stopped = search.run()
    searched = time.monotonic()
    log.info("search ended (%s) after %d pulls; now the finalists are confirmed", stopped, len(trajectory.steps))

    warn_of_equal_columns(search.points)
    suspect = standing_apart(search.points, plane.revisions)
    warn_of_columns_apart(suspect)
    finalists = choose(search, plan.confirm.controls)
    costs = plan.costs.table(parameters, held_out.sizes(), fitted)
    confirmation = Confirmation(worker.on(held_out), held_out.tasks, weights, plan.confirm, costs)
    confirmation.measure(finalists)
    confirmed = time.monotonic()
    seconds = {"search": round(searched - started, 1), "confirmation": round(confirmed - searched, 1)}
    result = replace(
        answer(search, finalists, confirmation, stopped, exhaustive, seconds),
        revisions_left_out=left_out,
        healed=worker.healed(),
        texts_cut=Cut.of_all([worker.texts_cut(), confirmation.worker.texts_cut()]),
        searched=about,
        suspect=suspect,
    )
    if result.healed:
        counts = ", ".join(f"{what}: {number}" for what, number in result.healed.items())
        log.warning("damaged files were found and made anew: %s", counts)
    official = Official(worker, confirmation, plan.ledger / "texts")
    result = official.added(result, finalists)
    exit_code = INCOMPLETE if search.failures or confirmation.failures else least
    used = [*search.used, *confirmation.used, *official.used]
    worker.ledger.export([score for score in used if score.task.is_whole], paths.scores)
    result.write(folder)
    if measurements is not None:  # last: the answer is there, whatever becomes of this
        opened = {arm.revision: None for arm in (*search.points, *finalists.controls)}
        unmeasured = measurements.measure(plane.revisions if plan.metrics.columns is Columns.all else opened)
        if readouts is not None and not (best := finalists.best).readout.is_raw:
            unused = unused_texts(readouts, plan.tasks.training_texts(), suites)
            path = paths.readout_metrics
            if reason := measure_under_readout(best, worker, unused, plan.metrics, plan.readout, path):
                unmeasured |= {best.label: reason}
        replace(result, unmeasured=unmeasured).write(folder)
        exit_code = INCOMPLETE if unmeasured else exit_code
    Done(exit_code, {"pulls": len(trajectory.steps), "result": file_digest(paths.result)}).write(folder)
    held.finish()  # last: a search that goes on after a kill needs its columns
    return exit_code


def survey(plan: SearchPlan) -> Plane:
    """The plane that the plan's sampling makes of its source's revisions.

    Raises:
        ValueError: no time axis to search, since there are fewer than two revisions, which measuring alone does not
            need, and neither does a search that was told to be content with `main`; or the model has fewer layers than
            the window of a readout; or the probe's device is not here.
    """
    check_device(plan.probe)
    revisions = picked(plan.checkpoints, plan.sampling)
    content = plan.metrics.only or getattr(plan.checkpoints, "only_main", False)
    if len(revisions) < 2 and not content:
        few = f"{plan.checkpoints.model} has {len(revisions)} revision(s)"
        raise ValueError(f"checkpoints: {few}; a search needs two (metrics.only=true measures one)")
    n_layers, extraction = plan.checkpoints.shape().n_layers, settled(plan.extraction, plan.probe.accelerator)
    check_windows(plan.readout, n_layers)
    return Plane(plan.checkpoints.model, revisions, n_layers, extraction)


def _width(plane: Plane) -> str:
    """`7 layers × 2 readouts`"""
    layers, readouts = len(plane.layers), len(plane.readouts)
    return f"{layers} layers" + f" × {readouts} readouts" * (readouts > 1)


def _texts(plan: SearchPlan, tasks: tuple[TaskSpec, ...]) -> SuiteTexts:
    return SuiteTexts(tasks, plan.tasks.texts(tasks, plan.ledger / "texts"))
