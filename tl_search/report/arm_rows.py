"""The quantities by which arms are compared, each with its paired differences to the first arm; and which arm wins."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tl_search.report.arms import ArmRun, Arms, CurriculumArm
from tl_search.report.paired import Difference, difference

LEVEL = 0.95
_MOST_NAMED = 3  # stages that a title names
LESS_MORE, SOONER_LATER = ("lower", "higher"), ("sooner", "later")


@dataclass(frozen=True)
class Row:
    """One quantity of every run.

    Args:
        key: For programs: `final`, `best`, `step 1500`, `jump 160`, `threshold steps`, `threshold tokens`.
        title: For people.
        values: For each arm: seed → value, of the runs that have one.
        level: Level of the intervals.
        words: What a smaller and a larger value are called.
        form: How a value is written.
    """

    key: str
    title: str
    values: tuple[Mapping[int, float], ...]
    level: float
    words: tuple[str, str] = LESS_MORE
    form: str = ".4f"

    def gap(self, arm: int) -> Difference | None:
        """How much larger the values of an arm are than those of the first one, over the seeds that both have."""
        mine, others = self.values[arm], self.values[0]
        seeds = sorted({*mine} & {*others})
        return (
            difference([mine[seed] for seed in seeds], [others[seed] for seed in seeds], self.level) if seeds else None
        )


@dataclass(frozen=True)
class Comparison:
    """Arms and the quantities by which they are compared, the first one the value at the last common step.

    Args:
        arms: The arms.
        rows: The quantities.
        silent: Stages that begin after the last measurement, so that nothing can be said of their start.
    """

    arms: Arms
    rows: tuple[Row, ...]
    silent: tuple[str, ...] = ()

    @property
    def final(self) -> Row:
        return self.rows[0]

    @property
    def seeds(self) -> list[int]:
        """Those with a finished run in every arm."""
        return sorted(set.intersection(*({*values} for values in self.final.values)))

    def winner(self) -> CurriculumArm | None:
        """The arm that is the best at the last common step, if that is shown; an arm with a diverged run is none.

        That is the arm with the best mean difference among those shown to be better than the first one; or the first
        one, if all others are shown to be worse.
        """
        arms, metric = self.arms.arms, self.arms.metric
        gaps = {number: self.final.gap(number) for number in range(1, len(arms))}
        shown = {number: gap.mean for number, gap in gaps.items() if gap is not None and gap.shown}
        better = {number: mean for number, mean in shown.items() if metric.is_better(mean)}
        able = {number: mean for number, mean in better.items() if not arms[number].diverged}
        if able:
            found = metric.best(able.values())
            return next(arms[number] for number, mean in able.items() if mean == found)
        return arms[0] if gaps and len(shown) == len(gaps) and not better and not arms[0].diverged else None


def compare_arms(arms: Arms, at: Sequence[int] = (), threshold: float | None = None) -> Comparison:
    """Compare arms.

    Args:
        at: Steps whose values are compared too.
        threshold: In the unit of the measurement; the time until a run reaches it is compared too.

    Raises:
        ValueError: no run was measured at one of the steps.
    """
    metric, label = arms.metric, arms.metric.label
    # all intervals of a row hold together (Bonferroni); several rows are not corrected for
    level = 1 - (1 - LEVEL) / max(1, len(arms.arms) - 1)

    def row(key: str, title: str, value: Callable[[ArmRun], float | None], all_runs: bool = True, **how: str) -> Row:
        values = tuple(
            {
                seed: found
                for seed, run in sorted((arm.runs if all_runs else arm.finished).items())
                if (found := value(run)) is not None
            }
            for arm in arms.arms
        )
        largest = max((abs(number) for each in values for number in each.values()), default=0.0)
        form = how.pop("form", ".4f" if largest < 1000 else ",.1f")
        return Row(key, title, values, level, form=form, **how)  # type: ignore[arg-type]

    found = [
        row("final", f"{label} at step {arms.end:,}", partial(_at, arms.end), all_runs=False),
        row("best", f"{metric.extreme} {label}", lambda run: run.best, all_runs=False),
    ]
    for step in at:
        if step not in arms.measured:
            near = sorted(sorted(arms.measured, key=lambda known: abs(known - step))[:8])
            raise ValueError(
                f"at: must be steps after the branch at which a run was measured, got {step}; nearest: "
                f"{', '.join(map(str, near))} (nothing is interpolated; eval_interval=N decides what is measured)"
            )
        found.append(row(f"step {step}", f"{label} at step {step:,}", partial(_at, step)))
    silent, spans = [], dict[tuple[int, int], list[Start]]()
    for start in _starts(arms):
        around = _around(arms, start.step)
        if around is None:
            silent.append(f"{start.told} at step {start.step:,}")
        else:
            spans.setdefault(around, []).append(start)
    for around, starts in spans.items():  # of starts between the same measurements, one says nothing that others do not
        title = f"change of {label} from step {around[0]:,} to {around[1]:,}, across {_named(starts)}"
        found.append(row(f"jump {starts[0].step}", title, partial(_change, around)))
    if threshold is not None:
        sign = "≤" if metric.mode == "min" else "≥"
        reached = f"to {label} {sign} {threshold:g}, from the branch"
        how = {"form": ",.0f", "words": SOONER_LATER}

        def steps(run: ArmRun) -> float | None:
            at = _reached(run, arms, threshold)
            return None if at is None else at - arms.step

        def tokens(run: ArmRun) -> float | None:
            at, known = _reached(run, arms, threshold), run.tokens
            return known[at] - known[arms.step] if at is not None and at in known and arms.step in known else None

        found.append(row("threshold steps", f"steps {reached}", steps, **how))  # type: ignore[arg-type]
        found.append(row("threshold tokens", f"tokens {reached}", tokens, **how))  # type: ignore[arg-type]
    return Comparison(arms, tuple(found), tuple(silent))


@dataclass(frozen=True)
class Start:
    """A step at which a stage of an arm begins."""

    step: int
    stage: str
    arm: str

    @property
    def told(self) -> str:
        return f"{self.stage} ({self.arm})"


def _starts(arms: Arms) -> list[Start]:
    """In order; at one step, in the order of the arms."""
    found = [Start(step, name, arm.name) for arm in arms.arms for step, name in arm.stages.items()]
    return sorted(found, key=lambda start: start.step)


def _named(starts: Sequence[Start]) -> str:
    """All stages by their names, or only how many there are of each arm."""
    if len(starts) <= _MOST_NAMED:
        one = len({start.step for start in starts}) == 1
        return f"the {'start' if one else 'starts'} of {', '.join(start.told for start in starts)}"
    each = [f"{number} of {arm}" for arm, number in Counter(start.arm for start in starts).items()]
    return f"the starts of {len(starts)} stages ({', '.join(each)})"


def _around(arms: Arms, start: int) -> tuple[int, int] | None:
    """The last step up to `start` and the first one behind it at which all finished runs were measured."""
    common = set.intersection(*({*run.values} for arm in arms.arms for run in arm.finished.values()))
    before, after = [step for step in common if step <= start], [step for step in common if step > start]
    return (max(before), min(after)) if before and after else None


def _at(step: int, run: ArmRun) -> float | None:
    return run.values.get(step)


def _change(around: tuple[int, int], run: ArmRun) -> float | None:
    before, after = around
    return run.values[after] - run.values[before] if before in run.values and after in run.values else None


def _reached(run: ArmRun, arms: Arms, threshold: float) -> int | None:
    """The first measured step at which a run has reached the threshold; None where it never has."""
    return next((step for step, value in run.values.items() if arms.metric.reaches(value, threshold)), None)
