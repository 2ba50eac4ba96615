"""Prints the summary of a search in a terminal, the answer first. It fits 80 columns and needs no colour."""

from rich.console import Console, Group, RenderableType
from rich.text import Text

from tl_search.errors.printable import printable
from tl_search.report import sentences as say
from tl_search.report.findings import Findings
from tl_search.report.label_free import Measured
from tl_search.report.remarks import remarks
from tl_search.report.table_look import plain_table
from tl_search.runs.measured import MeasuredReadout
from tl_search.runs.outcome import Finalist, Gain, Outcome, Side

SHOWN = 8  # skipped cells and verdicts that a terminal shows before it refers to the page


def print_findings(findings: Findings, console: Console, measured: Measured | None = None, kept: bool = True) -> None:
    """Print the answer, comparisons, what was skipped, label-free metrics, and the path of the page if it is kept."""
    console.print(_text(say.headline(findings), style="bold"))
    if findings.tags:
        console.print(_text(say.tags_line(findings.tags)))
    outcome = findings.outcome
    if outcome:
        for sentence in say.gain_sentences(outcome):
            console.print(_text(sentence))
    console.print(_text(f"{say.spent_sentence(findings)} {say.stopped_sentence(findings)}"))
    if outcome:
        console.print(Group(_finalists(findings, outcome), _tasks(findings, outcome)))
        _print_skipped(outcome, console)
        for remark in remarks(outcome, findings.plane):
            console.print(_text(remark))
    elif findings.trajectory:
        console.print(_last_pulls(findings))
    if measured:
        print_measured(measured, console)
    if kept:
        page = findings.folder / "report" / "index.html"
        console.print(_text(f"\nReport: {page}"), soft_wrap=True)  # a path that is cut in two cannot be clicked
        if outcome:
            console.print(_text(f"To use it: {say.export_command(findings)}"), soft_wrap=True)


def print_measured(measured: Measured, console: Console) -> None:
    """Print where each label-free metric is lowest and highest, what a readout changes, and what was not measured."""
    for revision, reason in measured.unmeasured.items():
        console.print(_text(f"{revision} could not be measured: {reason}"))
    if measured.remark:
        console.print(_text(measured.remark))
    if measured.rows:
        _print_extremes(measured, console)
    if measured.readout:
        _print_readout(measured, measured.readout, console)


def _print_extremes(measured: Measured, console: Console) -> None:
    table = plain_table("metric", "lowest", "highest", "last layer of\nthe latest\ncheckpoint")
    for row in measured.rows:
        ends = [_text(f"{value:.4g}\n{arm}", keep_lines=True) for value, arm in (row.lowest, row.highest)]
        table.add_row(_text(row.name), *ends, "" if row.final is None else f"{row.final:.4g}")
    arms = say.count(max(row.arms for row in measured.rows), "arm")
    console.print(Group(_text(f"\nLabel-free metrics of {arms}"), table))


def _print_readout(measured: Measured, found: MeasuredReadout, console: Console) -> None:
    console.print(_text(f"\n{measured.about_readout}"))
    if found.reason:
        return
    table = plain_table("metric", "raw", "readout")
    for name, raw in found.raw.items():
        table.add_row(_text(name), *("" if value is None else f"{value:.4g}" for value in (raw, found.under[name])))
    console.print(table)


def _finalists(findings: Findings, outcome: Outcome) -> RenderableType:
    between = f"({say.percent(outcome.confidence)} interval)"
    table = plain_table("arm", f"score\n{between}", f"gain of the chosen\n{between}", "in words")
    best = outcome.best.arm
    rows: list[tuple[str, Finalist, Gain | None]] = [
        ("chosen by the search", outcome.best, None),
        ("final checkpoint, last layer", outcome.final_last, outcome.gains.final_last),
        ("final checkpoint, best layer", outcome.final_best, outcome.gains.final_best),
    ]
    if outcome.same_readout is not None and outcome.as_raw is not None:
        rows.append(("final checkpoint, same readout", outcome.same_readout, outcome.gains.same_readout))
        rows.append(("chosen layer, no readout", outcome.as_raw, outcome.gains.as_raw))
    for role, arm, gain in rows:
        table.add_row(
            _text(f"{role}\n{arm.arm}", keep_lines=True),
            f"{say.points(arm.confirmation.objective)}\n{say.interval(arm.confirmation.interval)}",
            f"{say.signed(gain.gain)}\n{say.interval(gain.interval, sign=True)}" if gain else "",
            say.gain_word(gain, best == arm.arm) if gain else "",
        )
    return Group(_text(f"\nConfirmed scores (points on {findings.reported_on})"), table)


def _tasks(findings: Findings, outcome: Outcome) -> RenderableType:
    between = f"({say.percent(outcome.confidence)} interval)"
    table = plain_table("task", "trained arm", "strongest control", "chance\nlengths", f"gain\n{between}")
    for task in outcome.tasks:
        control = say.control_name(findings.plane, task.control.arm)
        table.add_row(
            _text(task.task),
            _text(f"{_score(task.trained)}\n{task.trained.arm}", keep_lines=True),
            _text(f"{_score(task.control)}\n{control}", keep_lines=True),
            "\n".join(say.chance(task.chance)),
            f"{say.signed(task.gain)}\n{say.interval(task.interval, sign=True)}",
        )
    verdicts = [_text(f"- {say.verdict(findings.plane, task)}") for task in outcome.tasks]
    if any(task.chance for task in outcome.tasks):
        verdicts.append(_text(say.CHANCE))
    return Group(_text("\nBest trained arm of each task against its strongest control"), table, "", *verdicts)


def _score(side: Side) -> str:
    return say.give_or_take(side.confirmation, side.standard_error)


def _print_skipped(outcome: Outcome, console: Console) -> None:
    if not outcome.skipped:
        return
    console.print(_text(f"\n{say.count(len(outcome.skipped), 'cell')} could not be scored:"))
    for cell in outcome.skipped[:SHOWN]:
        console.print(_text(f"- {cell.arm}, {cell.task}: {cell.reason}"))
    if len(outcome.skipped) > SHOWN:
        console.print(f"- and {len(outcome.skipped) - SHOWN} more in the report")


def _last_pulls(findings: Findings) -> RenderableType:
    table = plain_table("pull", "arm", "spent", "recommended", "estimate")
    shown = findings.trajectory[-SHOWN:]
    for step in shown:
        told = step.recommended
        table.add_row(
            str(step.t),
            _text(step.arm),
            f"{say.duration(step.spent)}\n{say.percent(step.share)}",
            _text(told.arm),
            say.estimate(told.mean, told.sd),
        )
    return Group(_text(f"\nThe last {say.count(len(shown), 'pull')}"), table)


def _text(value: object, style: str = "", keep_lines: bool = False) -> Text:
    """Text that rich prints as it is: a name such as `[red]` is not taken as markup."""
    lines = str(value).split("\n")
    return Text("\n".join(map(printable, lines)) if keep_lines or lines[0] == "" else printable(value), style=style)
