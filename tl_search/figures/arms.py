"""A measurement of several arms after a branch as a picture, and its differences to the first arm, seed by seed.

Steps are counted from the step of the branch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tl_search.figures.style import LIGHT, TITLE, WIDTH, Theme, colour_axes, encoded, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's set; the lighter ones first where the paper is dark.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_SIZE, _LETTER = 8, 5.0  # points: the height of the names of stages, and the width of one letter
_ON_DARK = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2")


@dataclass(frozen=True)
class Curves:
    """The curves of one arm.

    Args:
        name: In the legend.
        runs: Seed → step → value.
        stages: First step → name of each stage that begins at the branch or after it.
        diverged: Seeds whose run has diverged: a cross is where it was measured last.
    """

    name: str
    runs: Mapping[int, Mapping[int, float]]
    stages: Mapping[int, str]
    diverged: frozenset[int] = frozenset()


def arms_picture(arms: Sequence[Curves], branch: int, title: str, measured: str, theme: Theme = LIGHT) -> bytes:
    """A PNG: thin lines are single seeds, thick ones their mean, and a dotted line is where an arm's stage begins.

    Args:
        measured: The measurement, with its unit.
    """
    colours = _ON_DARK if theme.paper != LIGHT.paper else _COLOURS
    paired = [_differences(arm, arms[0]) for arm in arms[1:]]
    both = any(paired)
    figure = new_figure(WIDTH, 7.4 if both else 4.6, theme.paper)
    heights = [3, 2] if both else [1]
    top, *rest = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for number, arm in enumerate(arms):
        colour = colours[number % len(colours)]
        _draw(top, arm.runs, branch, colour, arm.name)
        for seed in arm.diverged & {*arm.runs}:
            if losses := arm.runs[seed]:
                last = max(losses)
                top.plot([last - branch], [losses[last]], marker="x", markersize=9, markeredgewidth=2, color=colour)
        for axes in (top, *rest):
            for step in arm.stages:
                axes.axvline(step - branch, color=colour, linestyle=":", linewidth=1.2)
    top.set_ylabel(measured)
    top.set_title(title, fontsize=TITLE, color=theme.ink, loc="left")
    legend = top.legend(facecolor=theme.paper, edgecolor="none", labelcolor=theme.ink, framealpha=0.8)
    legend.set_zorder(5)
    for axes in rest:
        axes.axhline(0, color=theme.faint, linewidth=1)
        for number, gaps in enumerate(paired, 1):
            _draw(axes, gaps, branch, colours[number % len(colours)], arms[number].name)
        axes.set_ylabel(f"difference to {arms[0].name}")
    for axes in (top, *rest):
        axes.set_facecolor(theme.paper)
        colour_axes(axes, theme)
    figure.draw_without_rendering()  # only then do axes have their width
    for number, arm in enumerate(arms):
        _name(top, arm, branch, colours[number % len(colours)], number)
    (rest[-1] if rest else top).set_xlabel(f"steps since the branch at step {branch:,}", color=theme.ink)
    return encoded(figure)


def _differences(arm: Curves, first: Curves) -> dict[int, dict[int, float]]:
    """Seed → step → how much larger the value is than in the first arm, where both have one."""
    found = {
        seed: {step: value - first.runs[seed][step] for step, value in values.items() if step in first.runs[seed]}
        for seed, values in arm.runs.items()
        if seed in first.runs
    }
    return {seed: values for seed, values in found.items() if values}


def _draw(axes: "Axes", runs: Mapping[int, Mapping[int, float]], branch: int, colour: str, name: str) -> None:
    alone = len(runs) == 1
    for values in runs.values():
        width, alpha = (2.0, 1.0) if alone else (0.9, 0.45)
        steps = [step - branch for step in values]
        axes.plot(steps, [*values.values()], color=colour, linewidth=width, alpha=alpha, label=name if alone else None)
    common = sorted(set.intersection(*({*values} for values in runs.values()))) if runs else []
    if not alone and common:
        means = [sum(values[step] for values in runs.values()) / len(runs) for step in common]
        steps = [step - branch for step in common]
        axes.plot(steps, means, color=colour, linewidth=2.2, marker=".", markersize=6, label=name)


def _name(axes: "Axes", arm: Curves, branch: int, colour: str, number: int) -> None:
    """The names of the stages at their starts, a line for each arm; each is cut where the next one begins."""
    left, right = axes.get_xlim()
    points = WIDTH * 72 * axes.get_position().width / (right - left)  # of a step
    for step, end in pairwise([*sorted(arm.stages), right + branch]):
        name, room = arm.stages[int(step)], int((end - step) * points / _LETTER) - 1
        axes.annotate(
            name if len(name) <= room else f"{name[: room - 1]}…" if room > 1 else "",
            (step - branch, 1), xycoords=("data", "axes fraction"), xytext=(4, -12 - 12 * number),
            textcoords="offset points", color=colour, fontsize=_SIZE,
        )  # fmt: skip
