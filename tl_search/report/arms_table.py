"""Writes a comparison of arms: a table and a verdict in the terminal, `comparison.json` and `curves.png`."""

from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tl_search.errors.printable import printable
from tl_search.figures.arms import Curves, arms_picture
from tl_search.report.arms import Comparison, CurriculumArm
from tl_search.report.paired import Difference
from tl_search.report.write import Terminal
from tl_search.store.atomic import write_bytes, write_json
from tl_search.store.keys import digest


def write_comparison(found: Comparison, output: Path | None = None) -> Path:
    """Print a comparison and write its files; returns their folder, by default one beside the arms' runs."""
    folder = output or _folder(found)
    curves = [
        Curves(arm.name, [arm.runs[seed].losses for seed in found.seeds], arm.runs[found.seeds[0]].stages)
        for arm in found.arms
    ]
    title = f"{len(found.arms)} arms, {len(found.seeds)} seeds each, from one state of {found.parent.name}"
    write_bytes(folder / "curves.png", arms_picture(curves, found.step, title))
    write_json(folder / "comparison.json", as_plain(found))
    console = Terminal()
    console.print(Text(printable(f"Arms from {found.parent.name}@step{found.step}, compared at step {found.end:,}")))
    console.print(_table(found))
    for sentence in sentences(found):
        console.print(Text(printable(sentence)), soft_wrap=True)
    console.print(Text(printable(f"Written to {folder}: comparison.json, curves.png")), soft_wrap=True)
    return folder


def _folder(found: Comparison) -> Path:
    runs = sorted(run.folder.name for arm in found.arms for run in arm.runs.values())
    beside = next(iter(found.arms[0].runs.values())).folder.parent
    name = f"{found.parent.name}-step{found.step}-{digest(runs, 8)}"
    return (beside.parent if beside.name == "train" else beside) / "compare" / name


def _table(found: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("curriculum", overflow="fold")
    percent = f"{100 * found.level:.4g} % interval"
    for header in ("seeds", "final eval loss", "lowest", "difference", percent, "difference of the lowest", percent):
        table.add_column(header, justify="right")
    for arm in found.arms:
        gaps = [] if arm is found.arms[0] else [*found.against_first(arm)]
        said = [cell for gap in gaps for cell in (f"{gap.mean:+.4f}", _interval(gap))] or ["reference", "", "", ""]
        values = (_spread(found.finals(arm)), _spread(found.lowest(arm)))
        table.add_row(printable(arm.name), str(len(found.seeds)), *values, *said)
    return table


def _spread(values: list[float]) -> str:
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _interval(gap: Difference) -> str:
    return "one seed" if gap.student is None else "{:+.4f} to {:+.4f}".format(*_wide(gap))


def _wide(gap: Difference) -> tuple[float, float]:
    """The hull of both intervals, on which the verdict rests."""
    intervals = [interval for interval in (gap.bootstrap, gap.student) if interval is not None]
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def sentences(found: Comparison) -> list[str]:
    """What the comparison shows, and what it does not."""
    first, said = found.arms[0], []
    for arm in found.arms[1:]:
        final, lowest = found.against_first(arm)
        for gap, what in ((final, f"eval loss at step {found.end:,}"), (lowest, "lowest eval loss")):
            said.append(_verdict(arm, first, gap, what))
    if len(found.arms) == 1:
        said.append(f"There is one arm only, {first.name}: nothing is compared.")
    said += [f"Left out, since it is {state}: {run}" for run, state in found.unfinished.items()]
    winner = found.winner()
    if winner is not None:
        best = min((winner.runs[seed] for seed in found.seeds), key=lambda run: run.losses[found.end])
        said.append(f"To train {winner.name} further: tl train resume={best.folder} trainer.max_steps=N")
    return said


def _verdict(arm: CurriculumArm, first: CurriculumArm, gap: Difference, what: str) -> str:
    pair = f"{arm.name} and {first.name}"
    if gap.student is None:
        return f"{what}: no difference shown between {pair}: one seed cannot show any ({gap.mean:+.4f})."
    told = f"{_interval(gap)}, {gap.seeds} seeds"
    if not gap.shown:
        return f"{what}: no difference shown between {pair} ({gap.mean:+.4f}; {told})."
    side = "lower" if gap.mean < 0 else "higher"
    return f"{what}: {side} with {arm.name} than with {first.name}, by {abs(gap.mean):.4f} ({told})."


def as_plain(found: Comparison) -> dict[str, Any]:
    """All that the table says, and the curves that it was made of."""
    winner = found.winner()
    return {
        "parent": str(found.parent),
        "step": found.step,
        "end": found.end,
        "seeds": list(found.seeds),
        "level": found.level,
        "winner": None if winner is None else winner.name,
        "unfinished": dict(found.unfinished),
        "verdict": sentences(found),
        "arms": [
            {
                "name": arm.name,
                "final": found.finals(arm),
                "lowest": found.lowest(arm),
                "against_first": [
                    {**asdict(gap), "shown": gap.shown}
                    for gap in (found.against_first(arm) if arm is not found.arms[0] else ())
                ],
                "runs": {
                    str(seed): {
                        "folder": str(run.folder),
                        "eval_loss": {str(step): loss for step, loss in run.losses.items()},
                        "stages": {str(step): name for step, name in run.stages.items()},
                    }
                    for seed, run in sorted(arm.runs.items())
                },
            }
            for arm in found.arms
        ],
    }
