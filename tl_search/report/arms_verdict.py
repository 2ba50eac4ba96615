"""What a comparison of arms shows, in sentences, and the command that goes on with the winner."""

import shlex
from statistics import mean, stdev

from tl_search.report.arm_rows import Comparison, Row
from tl_search.report.arms import ArmRun
from tl_search.report.paired import Difference
from tl_search.report.sentences import count
from tl_search.runs.record import RunRecord
from tl_search.runs.states import states_of

NONE_SHOWN = "no difference shown"
NONE_TO_NAME = (
    "No winner is shown, so no run is named to be trained further; a comparison planned with more seeds may show one"
)


def headline(found: Comparison) -> str:
    """The answer, first of all."""
    winner, arms = found.winner(), found.arms.arms
    where = f"{found.arms.metric.label} at step {found.arms.end:,}"
    if len(arms) == 1:
        return f"There is one arm only, {arms[0].name}: nothing is compared."
    if winner is None:
        return f"No winner is shown by the {where}."
    rest = "the other arms" if winner is arms[0] and len(arms) > 2 else (arms[1] if winner is arms[0] else arms[0]).name
    return f"{winner.name} is better than {rest} by the {where}."


def sentences(found: Comparison) -> list[str]:
    """The verdicts on the final and the best value, then what is missing in them."""
    arms = found.arms
    said = [verdict(found, row, number) for number in range(1, len(arms.arms)) for row in found.rows[:2]]
    if len(arms.arms) == 1:
        said.append(headline(found))
    return [*said, *missing(found)]


def verdict(found: Comparison, row: Row, number: int) -> str:
    """What a quantity shows of an arm beside the first one."""
    arm, first, gap = found.arms.arms[number], found.arms.arms[0], row.gap(number)
    pair = f"{arm.name} and {first.name}"
    if gap is None:
        return f"{row.title}: {NONE_SHOWN} between {pair}: no seed has it in both."
    if gap.student is None:
        return f"{row.title}: {NONE_SHOWN} between {pair}: one seed cannot show any ({signed(row, gap.mean)})."
    told = f"{interval(row, gap)}, {gap.seeds} seeds"
    if not gap.shown:
        return f"{row.title}: {NONE_SHOWN} between {pair} ({signed(row, gap.mean)}; {told})."
    by = format(abs(gap.mean), row.form)
    return f"{row.title}: {row.words[gap.mean > 0]} with {arm.name} than with {first.name}, by {by} ({told})."


def in_words(row: Row, number: int) -> str:
    """The same in a cell of a table."""
    gap = row.gap(number)
    if gap is None:
        return "no pair"
    return row.words[gap.mean > 0] if gap.shown else NONE_SHOWN


def spread(row: Row, number: int) -> str:
    """Mean and standard deviation over the seeds of an arm; empty where no run has the quantity."""
    values = [*row.values[number].values()]
    if not values:
        return ""
    return format(mean(values), row.form) + (f" ± {format(stdev(values), row.form)}" if len(values) > 1 else "")


def having(found: Comparison, row: Row, number: int) -> str:
    """`3`, or `2 of 3` where not every run of the arm has the quantity."""
    runs, there = len(found.arms.arms[number].runs), len(row.values[number])
    return str(runs) if runs == there else f"{there} of {runs}"


def signed(row: Row, value: float) -> str:
    return format(value, f"+{row.form}")


def interval(row: Row, gap: Difference) -> str:
    """The hull of both intervals, on which the verdict rests."""
    intervals = [one for one in (gap.bootstrap, gap.student) if one is not None]
    if not intervals:
        return "one seed"
    low, high = min(low for low, _ in intervals), max(high for _, high in intervals)
    return f"{signed(row, low)} to {signed(row, high)}"


def missing(found: Comparison) -> list[str]:
    """The runs that means and differences leave out, each by its name, and what else a table does not show."""
    arms, said = found.arms, []
    for arm in arms.arms:
        if arm.diverged:
            runs = "; ".join(_how(seed, run) for seed, run in sorted(arm.diverged.items()))
            others = f"Final and {arms.metric.extreme} values are of the others, which flatters {arm.name}"
            of = f"{len(arm.diverged)} of {count(len(arm.runs), 'run')}"
            rest = others if arm.finished else f"{arm.name} has no final value"
            said.append(f"{arm.name}: {of} diverged: {runs}. {rest}; it is not named as the winner.")
    for row in found.rows:
        if row.key == "threshold steps":
            for number, arm in enumerate(arms.arms):
                if never := [seed for seed in sorted(arm.runs) if seed not in row.values[number]]:
                    said.append(
                        f"{row.title}: {len(never)} of {count(len(arm.runs), 'run')} of {arm.name} never came there "
                        f"({_seeds(never)}); the difference is of seeds that came there in both arms."
                    )
    last = max(max(run.values) for arm in arms.arms for run in arm.finished.values())
    if arms.end < last:
        short = [
            f"{arm.name}, seed {seed}"
            for arm in arms.arms
            for seed, run in sorted(arm.finished.items())
            if last not in run.values
        ]
        said.append(
            f"Values are compared at step {arms.end:,}, since there is none at step {last:,} of: {'; '.join(short)}."
        )
    said += [f"Nothing was measured after the start of {stage}, so its jump is not known." for stage in found.silent]
    return [*said, *(f"Left out, since it is {state}: {run}" for run, state in arms.unfinished.items())]


def _how(seed: int, run: ArmRun) -> str:
    step = run.diverged.step if run.diverged is not None else None
    return f"seed {seed}{'' if step is None else f' at step {step:,}'} ({run.folder.name})"


def _seeds(seeds: list[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


def next_steps(found: Comparison) -> list[tuple[str, str]]:
    """(What for, command): how to train the winner to its full length; nothing where no winner is shown.

    The command begins a new branch with the last state of the winner's best run, so that the compared runs stay as they
    are. Where the arms follow the learning-rate curve of their parent, it goes on along that curve.
    """
    winner = found.winner()
    if winner is None:
        return []
    values = found.final.values[[*found.arms.arms].index(winner)]
    best = found.arms.metric.best(values.values())
    run = winner.runs[next(seed for seed, value in values.items() if value == best)]
    states, record, full = states_of(run.folder), RunRecord.read(run.folder), found.arms.full
    if not states or record is None:
        return []
    step = states[0][1]
    policy = "keep" if ((record.plan or {}).get("branch") or {}).get("lr") == "keep" else "rescale"
    if full is not None and full > step:
        what = f"To train {winner.name} to the full length of {full:,} steps"
    else:
        what, full = f"{winner.name} has its full length, {step:,} steps; to train it to twice as many", 2 * step
    words = [f"branch_from={_quoted(f'{run.folder}@step{step}')}", f"trainer.max_steps={full}", f"branch.lr={policy}"]
    words += [f"plugins=[{','.join(record.plugins)}]"] if record.plugins else []
    return [(what, f"tl train {' '.join(map(shlex.quote, words))}")]


def _quoted(place: str) -> str:
    """A path as Hydra takes it for text."""
    plain = all(letter.isalnum() or letter in "/._-@" for letter in place)
    return place if plain else "'" + place.replace("\\", "\\\\").replace("'", "\\'") + "'"
