"""The pictures of reports: which findings of a search, or of a comparison of arms, each figure shows.

Files, page and events show the same pictures. Each is drawn once for the same `Findings` object.
"""

from functools import lru_cache

from tl_search.errors.printable import printable
from tl_search.figures.arms import Curves, arms_picture
from tl_search.figures.plane import PlaneValues, plane_picture
from tl_search.figures.style import Theme
from tl_search.figures.trajectory import Ending, trajectory_picture
from tl_search.report.arms import Arms
from tl_search.report.findings import Findings
from tl_search.report.pull_statistics import measured_objective, scored_tasks
from tl_search.report.sentences import percent


@lru_cache(maxsize=2)  # a light and a dark one
def draw_plane(findings: Findings, theme: Theme) -> bytes:
    """A PNG of the objective over the plane: the policy's posterior mean, or what was measured where it has none."""
    plane, best = findings.plane, findings.best
    shown = PlaneValues(
        model=printable(plane.model),
        readouts=list(plane.readouts),
        checkpoints=[printable(revision.name) for revision in plane.revisions],
        objective=measured_objective(findings) if findings.mean is None else findings.mean,
        posterior=findings.mean is not None,
        scored=scored_tasks(findings),
        n_tasks=len(plane.tasks),
        final_last=plane.at(plane.final_last),
        best=plane.at(best) if best else None,
        best_name=printable(best),
        best_role="best arm" if findings.outcome else "best arm so far",
    )
    return plane_picture(shown, theme)


@lru_cache(maxsize=2)  # a light and a dark one
def draw_trajectory(findings: Findings, theme: Theme) -> bytes:
    """A PNG of the score of the arm that the search recommended after each pull, and of its end."""
    recommended = [step.recommended for step in findings.trajectory]
    confirmed, outcome = None, findings.outcome
    if outcome:
        best, baseline = outcome.best.confirmation, outcome.final_last.confirmation.objective
        label = f"confirmed on {findings.reported_on}, {percent(outcome.confidence)} interval"
        confirmed = Ending(best.objective, best.interval.low, best.interval.high, baseline, label)
    shares = [step.share for step in findings.trajectory]
    means, sds = [step.mean for step in recommended], [step.sd for step in recommended]
    return trajectory_picture(shares, means, sds, confirmed, theme)


def draw_arms(arms: Arms, theme: Theme) -> bytes:
    """A PNG of the curves of arms, and of their differences to the first one."""
    curves = [
        Curves(
            printable(arm.name),
            {seed: run.values for seed, run in sorted(arm.runs.items())},
            {step: printable(name) for step, name in arm.stages.items()},
            frozenset(arm.diverged),
        )
        for arm in arms.arms
    ]
    metric = arms.metric
    title = f"{len(arms.arms)} arms from one state of {printable(arms.parent.name)}"
    unit = f" ({metric.unit})" if metric.unit else ""
    return arms_picture(curves, arms.step, title, f"{printable(metric.label)}{unit}", theme)
