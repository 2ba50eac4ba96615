"""The report of a search as one HTML page."""

from typing import Any

from tl_search.report import sentences as say
from tl_search.report.findings import Findings
from tl_search.report.label_free import Measured
from tl_search.report.page import THEMES, embedded, rendered
from tl_search.report.pictures import draw_plane, draw_trajectory
from tl_search.report.pull_statistics import regret, scored_tasks, turning_points
from tl_search.report.remarks import caveats
from tl_search.runs.outcome import TaskOutcome

ROWS = 150  # pulls that the page lists at most
TONES = {"the chosen arm wins": "good", "the chosen arm loses": "bad", "trained": "good", "control": "bad"}


def render_page(findings: Findings, measured: Measured | None = None) -> str:
    """The whole page as HTML. `measured` adds a section on label-free metrics."""
    filters = {
        "points": lambda value: "" if value is None else say.points(value),
        "signed": say.signed,
        "interval": say.interval,
        "signed_interval": lambda value: say.interval(value, sign=True),
        "percent": say.percent,
        "estimate": lambda told: say.estimate(told.mean, told.sd),
        "duration": lambda value: "" if value is None else say.duration(value),
    }
    return rendered("index.html.j2", filters, measured=measured or Measured(), **_context(findings))


def _context(findings: Findings) -> dict[str, Any]:
    steps, words = _steps(findings)
    return {
        "found": findings,
        "say": say,
        "tones": TONES,
        "plane_images": {name: embedded(draw_plane(findings, theme)) for name, theme in THEMES.items()},
        "plane_alt": _plane_alt(findings),
        "trajectory_images": {name: embedded(draw_trajectory(findings, theme)) for name, theme in THEMES.items()},
        "trajectory_alt": _trajectory_alt(findings),
        **_tasks(findings),
        "steps": steps,
        "steps_words": words,
        "facts": _facts(findings),
        "caveats": caveats(findings),
    }


def _tasks(findings: Findings) -> dict[str, Any]:
    """Rows of the table by task; `x` places each interval on a common scale, 144 SVG units wide."""
    outcome, types = findings.outcome, {task.name: task.type for task in findings.plane.tasks}
    found = outcome.tasks if outcome else ()
    low = min((0.0, *(task.interval.low for task in found)))
    high = max((0.0, *(task.interval.high for task in found)))

    def at(value: float) -> str:
        return f"{8 + 128 * (value - low) / ((high - low) or 1):.1f}"

    def row(task: TaskOutcome) -> dict[str, Any]:
        words = say.verdict(findings.plane, task)
        return {
            "found": task,
            "type": types.get(task.task, ""),
            "control": say.control_name(findings.plane, task.control.arm),
            "word": words.removeprefix(f"on {task.task} "),
            "tone": TONES.get(task.verdict, ""),
            "x": {"low": at(task.interval.low), "high": at(task.interval.high), "gain": at(task.gain)},
        }

    return {
        "tasks": [row(task) for task in found],
        "zero": at(0.0),
        "tasks_words": say.verdict_sentence(findings.plane, found),
    }


def _steps(findings: Findings) -> tuple[list[tuple[Any, float]], str]:
    """The pulls that the table lists, each with its regret in points, and a sentence that says which pulls they are."""
    every = list(zip(findings.trajectory, regret(findings), strict=True))
    if len(every) <= ROWS:
        return every, f"All {say.count(len(every), 'pull')}, in order."
    turns = {step.t for step in turning_points(findings.trajectory)}
    shown = [pair for pair in every if pair[0].t in turns]
    note = f"Of {say.count(len(every), 'pull')}, the table lists those that changed the recommended arm, and the last."
    if len(shown) > ROWS:
        shown = [*shown[: ROWS // 2], *shown[-ROWS // 2 :]]
        note += f" Of these, only the first {ROWS // 2} and the last {ROWS // 2} are shown."
    return shown, note


def _facts(findings: Findings) -> list[tuple[str, object]]:
    plane, revisions = findings.plane, findings.plane.revisions
    tokens, parameters = revisions[-1].tokens, plane.parameters
    facts: list[tuple[str, object]] = [
        ("run", findings.name),
        *([("tags", ", ".join(findings.tags))] if findings.tags else []),
        ("model", plane.model),
        ("parameters", None if parameters is None else f"{parameters:,}"),
        ("checkpoints", f"{len(revisions)}, {revisions[0].name} to {revisions[-1].name}"),
        ("training tokens", None if tokens is None else f"{tokens:,}"),
        ("layers", f"0 to {plane.n_layers}"),
        *([("readouts", say.readouts(plane))] if plane.fitted_on else []),
        ("policy", findings.policy),
        ("seed", findings.seed),
    ]
    return [(name, value) for name, value in facts if value is not None]


def _plane_alt(findings: Findings) -> str:
    plane = findings.plane
    measured = int((scored_tasks(findings) > 0).sum())
    text = (
        f"Heat map of {say.count(plane.shape[0], 'checkpoint')} by {say.count(plane.n_layers + 1, 'layer')}; "
        f"{say.count(measured, 'arm')} measured."
    )
    return f"{text} The ring is on {findings.best}." if findings.best else text


def _trajectory_alt(findings: Findings) -> str:
    if not findings.trajectory:
        return "Empty chart: no pull yet."
    first, last = findings.trajectory[0], findings.trajectory[-1]
    text = (
        f"Line chart: the estimated score of the recommended arm goes from {say.points(first.recommended.mean)} after "
        f"the first pull to {say.points(last.recommended.mean)} at {say.percent(last.share)} of the exhaustive cost"
    )
    outcome = findings.outcome
    return f"{text}; confirmed at {say.points(outcome.best.confirmation.objective)}." if outcome else f"{text}."
