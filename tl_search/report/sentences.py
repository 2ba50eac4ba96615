"""The sentences and the numbers of a report, worded once for the terminal and for the page. Scores are in points."""

from collections.abc import Sequence

from tl_search.plane.arm_name import ArmName
from tl_search.plane.share import ALL
from tl_search.report.findings import Findings
from tl_search.runs.outcome import Chance, Confirmed, Finalist, Gain, Interval, Outcome, TaskOutcome
from tl_search.runs.searched_plane import SearchedPlane

STOPPED = {
    "budget": "its budget was spent",
    "gap": "the arm that it recommends is probably within stopping.epsilon points of the best arm",
    "done": "every arm was measured",
}
CHANCE = (
    "± is a standard error. Chance is what random vectors score on the task; lengths is what vectors score that hold "
    "nothing but a text's numbers of characters and lines."
)


def duration(seconds: float) -> str:
    """Two units at most: `3 h 12 min`, `4 min 10 s`, `12 s`, `0.42 s`."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    if round(seconds) < 3600:
        return _two_units(round(seconds), 60, "min", "s")
    if round(seconds / 60) < 48 * 60:
        return _two_units(round(seconds / 60), 60, "h", "min")
    return _two_units(round(seconds / 3600), 24, "d", "h")


def _two_units(number: int, ratio: int, large: str, small: str) -> str:
    whole, rest = divmod(number, ratio)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def count(number: int, thing: str) -> str:
    """`1 pull`, `5,698 arms`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def short(number: float) -> str:
    """`1.3 M`, in powers of 1000; a unit can follow."""
    power = 0
    while number >= 999.5 and power < 5:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {' kMGTP'[power].strip()}"


def percent(share: float) -> str:
    """A share of 1 as `100 %`: whole from 10 % on, two digits below; only a share of exactly 0 is printed as `0 %`."""
    if share >= 0.1 or share == 0:
        return f"{100 * share:.0f} %"
    return f"{100 * share:.2g} %" if share >= 0.001 else "less than 0.1 %"


def points(value: float) -> str:
    """`65.11`: a score has two decimals."""
    return f"{value:.2f}"


def signed(value: float) -> str:
    """`+1.23`: a difference of scores; one that rounds to 0 has no sign."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def estimate(mean: float, sd: float) -> str:
    """`65.11 ± 0.56`: an estimated score and its standard deviation, which is 0 for a policy without a posterior."""
    return f"{points(mean)} ± {points(sd)}" if sd else points(mean)


def give_or_take(value: float, error: float | None) -> str:
    """`65.11 ± 0.56`: a score and its standard error, where that is known."""
    return points(value) if error is None else f"{points(value)} ± {points(error)}"


def task_score(found: Confirmed, task: str) -> str:
    """`65.11 ± 0.56`: an arm's score on a task; empty where it has none."""
    return give_or_take(found.tasks[task], found.task_errors.get(task)) if task in found.tasks else ""


def chance(known: Chance | None) -> tuple[str, str]:
    """What random vectors reach, and vectors of lengths: `49.70`; empty where it is not known."""
    values = (known.random, known.lengths) if known else (None, None)
    first, second = ("" if value is None else points(value) for value in values)
    return first, second


def interval(value: Interval, sign: bool = False) -> str:
    """`64.46 to 66.76`, or with signs for an interval of a difference."""
    show = signed if sign else points
    return f"{show(value.low)} to {show(value.high)}"


def control_name(plane: SearchedPlane, arm: ArmName) -> str:
    """What kind of control the arm is: random weights, or token embeddings, which take no context into account."""
    untrained = plane.is_random(arm)
    if arm.layer == 0:
        return "untrained token embeddings" if untrained else "token embeddings"
    return "random weights" if untrained else str(arm)


def selection_data(plane: SearchedPlane) -> str:
    """`selection data`, or `1/3 of the items of the selection data`."""
    return "selection data" if plane.items == ALL else f"{plane.items} of the items of the selection data"


def share_sentence(plane: SearchedPlane) -> str:
    """That arms were looked at on a share of the items, and what that means; empty where it was all of them."""
    if plane.items == ALL:
        return ""
    return (
        f"Arms were scored and chosen on {selection_data(plane)} (tasks.items={plane.items}): these scores are no "
        "scores of the tasks, are less certain, and are not to be compared with those on all items. Finalists are "
        "confirmed on all items of their split."
    )


def tags_line(tags: Sequence[str]) -> str:
    """`Tags: baseline, seed1`."""
    return f"Tags: {', '.join(tags)}"


def headline(findings: Findings) -> str:
    """The answer, first of all: which arm is best by the confirmed scores, and what kind of arm it is."""
    outcome = findings.outcome
    if outcome:
        best, found = outcome.named, outcome.named.confirmation
        role = next((f", the {role}," for role, rival, _ in rivals(outcome) if rival is best), "")
        behind = f"; {_described(findings.plane, outcome.best.arm)}, which the search chose, falls behind it"
        return (
            f"{_only_final(findings)}{_described(findings.plane, best.arm)}{role} is the best embedding model found: "
            f"{points(found.objective)} points on {findings.reported_on} ({percent(outcome.confidence)} interval "
            f"{interval(found.interval)}){behind if role else ''}."
        )
    if not findings.trajectory:
        return "The search is not finished: no arm has been measured yet."
    told = findings.trajectory[-1].recommended
    return (
        f"The search is not finished. After {count(len(findings.trajectory), 'pull')} it recommends {told.arm}, "
        f"whose estimated score is {estimate(told.mean, told.sd)} points on "
        f"{selection_data(findings.plane)}."
    )


def _described(plane: SearchedPlane, arm: ArmName) -> str:
    """The arm's name; of a control, also which kind it is."""
    if not plane.is_control(arm):
        return str(arm)
    trained = plane.revisions[plane.at(arm)[0]].step > 0
    why = "which take no context into account" if trained else "which have learnt nothing"
    return f"{arm} ({control_name(plane, arm)}, {why})"


def _only_final(findings: Findings) -> str:
    """That a search has opened no other checkpoint, and which setting changes that; else nothing."""
    if not findings.only_final:
        return ""
    why = {
        "budget": "its layers took the whole budget (a higher budget.share opens others, and 1 opens all)",
        "gap": "the search stopped after it (a smaller stopping.epsilon lets it look at others)",
    }.get(findings.stopped or "", "there was nothing else to score")
    return f"Only the final checkpoint was looked at, since {why}. "


def gain_word(gain: Gain, same: bool) -> str:
    """Whether the best arm is better than another one, in a few words for a table. `same`: they are the same arm."""
    if same:
        return "the same arm"
    if gain.interval.holds_zero:
        return "no difference could be shown"
    return "the chosen arm wins" if gain.gain > 0 else "the chosen arm loses"


def gain_sentences(outcome: Outcome) -> list[str]:
    """How the arm that the search chose compares with each of its rivals."""
    subject = "It" if outcome.named is outcome.best else str(outcome.best.arm)

    def sentence(rival: str, other: Finalist, gain: Gain) -> str:
        if outcome.best.arm == other.arm:
            return f"{subject} is the {rival} itself."
        between = f"{percent(outcome.confidence)} interval {interval(gain.interval, sign=True)}"
        if gain.interval.holds_zero:
            against = f"Against the {rival}" if subject == "It" else f"Between {subject} and the {rival}"
            return f"{against}, no difference could be shown ({signed(gain.gain)} points, {between})."
        if gain.gain > 0:
            return f"{subject} beats the {rival} by {points(gain.gain)} points ({between})."
        return f"{subject} falls behind the {rival} by {points(-gain.gain)} points ({between})."

    return [sentence(*rival) for rival in rivals(outcome)]


def rivals(outcome: Outcome) -> tuple[tuple[str, Finalist, Gain], ...]:
    """What the best arm is compared with as a whole: what it is, its scores, and the gain of the best arm over it."""
    found: list[tuple[str, Finalist | None, Gain | None]] = [
        ("last layer of the final checkpoint", outcome.final_last, outcome.gains.final_last),
        ("best layer of the final checkpoint", outcome.final_best, outcome.gains.final_best),
        ("last layer of the final checkpoint with the same readout", outcome.same_readout, outcome.gains.same_readout),
        ("same layer without the readout", outcome.as_raw, outcome.gains.as_raw),
    ]
    return tuple((role, arm, gain) for role, arm, gain in found if arm is not None and gain is not None)


def verdict(plane: SearchedPlane, task: TaskOutcome) -> str:
    """Whether a trained arm is better than every control on this task, for the middle of a sentence."""
    name = control_name(plane, task.control.arm)
    if task.verdict == "no difference":
        return f"on {task.task} no difference to the {name} could be shown"
    if task.verdict == "control":
        return f"on {task.task} the {name} {'win' if name.endswith('s') else 'wins'}"
    return f"on {task.task} training helps"


def verdict_sentence(plane: SearchedPlane, tasks: Sequence[TaskOutcome]) -> str:
    """On how many tasks training helps, and what holds for each of the other tasks."""
    helped = [task for task in tasks if task.verdict == "trained"]
    others = [f" O{verdict(plane, task)[1:]}." for task in tasks if task.verdict != "trained"]
    return f"Training helps on {len(helped)} of {count(len(tasks), 'task')}.{''.join(others)}"


def readouts(plane: SearchedPlane) -> str:
    """Which readouts there were, and what they were fitted on; nothing where there was only raw."""
    fitted = plane.fitted_on
    if fitted is None:
        return ""
    names = ", ".join(plane.readouts)
    if not fitted.among_scored:
        return f"{names}; fitted without labels on {fitted.texts:,} texts, none of which is scored"
    return (
        f"{names}; fitted without labels on {fitted.texts:,} texts, of which {fitted.among_scored:,} are scored, too: "
        "transductive"
    )


def spent_sentence(findings: Findings) -> str:
    """What search and confirmation spent of the exhaustive cost, in seconds of the cost table."""
    plane, outcome = findings.plane, findings.outcome
    arms = plane.shape[0] * plane.shape[1]
    every = "every task" if plane.items == ALL else f"{plane.items} of the items of every task"
    if outcome:
        scored = f"{count(outcome.pulls, 'pull')} scored {outcome.arms_scored} of {count(arms, 'arm')}"
        return (
            f"Search and confirmation spent {percent(outcome.cost.whole_share)} of what measuring every arm on {every} "
            f"costs ({duration(outcome.cost.search.total)} + {duration(outcome.cost.confirmation.total)} of "
            f"{duration(outcome.cost.exhaustive.total)}); {scored}."
        )
    if not findings.trajectory:
        return f"Measuring every arm on {every} would cost {duration(plane.exhaustive.total)}."
    last = findings.trajectory[-1]
    return (
        f"So far the search spent {percent(last.share)} of what measuring every arm on {every} costs "
        f"({duration(last.spent)} of {duration(plane.exhaustive.total)})."
    )


def stopped_sentence(findings: Findings) -> str:
    """Why the search stopped, or that it has not."""
    if not findings.stopped:
        return "The search has not stopped yet."
    why = STOPPED.get(findings.stopped, findings.stopped)
    ended = "" if findings.outcome else "; its result is not confirmed yet"
    return f"The search stopped because {why}{ended}."


def export_command(findings: Findings) -> str:
    """What writes the answer as a model that others load."""
    return f"tl export {findings.folder} to=FOLDER"
