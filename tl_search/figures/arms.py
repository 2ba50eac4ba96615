"""Eval losses of several arms after a branch as a picture: a line for each seed, aligned at the step of the branch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tl_search.figures.style import LIGHT, TITLE, WIDTH, Theme, colour_axes, encoded, new_figure

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's set


@dataclass(frozen=True)
class Curves:
    """The curves of one arm.

    Args:
        name: In the legend.
        losses: For each seed: step → eval loss.
        stages: First step → name of each stage that begins after the branch.
    """

    name: str
    losses: Sequence[Mapping[int, float]]
    stages: Mapping[int, str]


def arms_picture(arms: Sequence[Curves], branch: int, title: str, theme: Theme = LIGHT) -> bytes:
    """A PNG; steps are counted from the step of the branch, and a dotted line is where an arm's stage begins."""
    figure = new_figure(WIDTH, 4.6, theme.paper)
    axes = figure.add_subplot(facecolor=theme.paper)
    colour_axes(axes, theme)
    for number, arm in enumerate(arms):
        colour = _COLOURS[number % len(_COLOURS)]
        for seed, losses in enumerate(arm.losses):
            line: dict[str, Any] = {"color": colour, "linewidth": 1.4, "alpha": 0.75, "marker": ".", "markersize": 5}
            axes.plot([step - branch for step in losses], [*losses.values()], label=None if seed else arm.name, **line)
        for step, stage in arm.stages.items():
            axes.axvline(step - branch, color=colour, linestyle=":", linewidth=1.1)
            axes.annotate(
                stage, (step - branch, 1), xycoords=("data", "axes fraction"), xytext=(3, -10 - 11 * number),
                textcoords="offset points", color=colour, fontsize=8,
            )  # fmt: skip
    axes.set_xlabel(f"steps since the branch at step {branch:,}")
    axes.set_ylabel("eval loss (nats per token)")
    axes.set_title(title, fontsize=TITLE, color=theme.ink, loc="left")
    axes.legend(frameon=False, labelcolor=theme.ink)
    return encoded(figure)
