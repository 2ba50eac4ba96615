"""The plane of a search as a picture: the objective of every checkpoint and layer, and which of them were measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_search.figures.style import (
    BEST,
    LIGHT,
    TITLE,
    WIDTH,
    Theme,
    colour_axes,
    encoded,
    heat_map,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

LABELS = 14  # checkpoints that the axis names at most; the others have a small tick
_IN_A_LINE = 60  # characters of names that fit below the axis without being turned


@dataclass(frozen=True)
class PlaneValues:
    """What the picture shows. An arm is given as (checkpoint, layer), its indices into the arrays.

    Args:
        objective: Points of every arm (checkpoint, layer); NaN where nothing is known.
        posterior: Whether `objective` is the mean of a policy's posterior, and not what was measured.
        scored: How many tasks of each arm have a score (checkpoint, layer).
        best: The best arm; None before the first pull.
        readouts: Names of the readouts; the arrays have all layers of one, then all layers of the next.
    """

    model: str
    checkpoints: Sequence[str]
    objective: np.ndarray
    posterior: bool
    scored: np.ndarray
    n_tasks: int
    final_last: tuple[int, int]
    best: tuple[int, int] | None = None
    best_name: str = ""
    best_role: str = "best arm"
    readouts: Sequence[str] = ("raw",)


def plane_picture(shown: PlaneValues, theme: Theme = LIGHT) -> bytes:
    """A PNG: checkpoints across, layers up, the objective as colour.

    A dot marks a measured arm and is larger with more of its tasks scored; a ring marks the best arm; a square marks
    the last layer of the final checkpoint, which people take without a search.
    """
    columns, rows = shown.objective.shape
    layers = rows // len(shown.readouts)
    width, height = WIDTH, 2.4 + min(4.6 * len(shown.readouts) ** 0.5, max(2.0, 0.2 * rows))
    figure = new_figure(width, height, theme.paper)
    axes = figure.add_subplot(facecolor=theme.empty)
    colour_axes(axes, theme)
    kind = "estimated" if shown.posterior else "measured"
    known = shown.objective[~np.isnan(shown.objective)]
    if known.size:
        # the untrained corner may lie far below everything else, and good arms should still differ in colour
        low, high = np.percentile(known, 5 if known.size > 20 else 0), known.max()
        image = heat_map(axes, shown.objective, low, high if high > low else low + 1e-9)
        bar = figure.colorbar(image, ax=axes, pad=0.015, extend="min" if known.min() < low else "neither")
        bar.set_label(f"{kind} objective, points", color=theme.ink)
        bar.ax.tick_params(colors=theme.ink)
        bar.outline.set_visible(False)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), ylabel="layer", xlabel="training checkpoint")
    title = f"{_shortened(shown.model, 48)}: {kind} objective of every checkpoint and layer"
    axes.set_title(title, loc="left", fontsize=TITLE, color=theme.ink, pad=10)
    named_layers = _evenly_spaced(layers, max(3, 13 // len(shown.readouts)))
    labelled = [(number * layers + layer, layer) for number in range(len(shown.readouts)) for layer in named_layers]
    axes.set_yticks([row for row, _ in labelled], [str(layer) for _, layer in labelled])
    axes.set_yticks(range(rows), minor=True)
    _part_readouts(axes, shown, layers, theme)
    named = _evenly_spaced(columns, LABELS)
    labels = [_shortened(shown.checkpoints[number]) for number in named]
    crowded = len(labels) * max(map(len, labels)) > _IN_A_LINE
    turned: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks(named, labels, **turned)
    axes.set_xticks(range(columns), minor=True)
    cell = min(72 * (width - 2.4) / columns, 72 * (height - 2.0) / rows)  # in points, of which an inch has 72
    marks = _mark_arms(axes, shown, theme, cell)
    narrow = len(marks) > 3 or max(len(str(mark.get_label())) for mark in marks) > 34
    legend: dict[str, Any] = {"loc": "outside lower left", "frameon": False, "labelcolor": theme.ink}
    figure.legend(handles=marks, ncols=2 if narrow else 3, **legend)
    return encoded(figure)


def _part_readouts(axes: "Axes", shown: PlaneValues, layers: int, theme: Theme) -> None:
    """A line between readouts, and their names on the right; nothing where there is one."""
    if len(shown.readouts) < 2:
        return
    for number, name in enumerate(shown.readouts):
        if number:
            axes.axhline(number * layers - 0.5, color=theme.paper, linewidth=3)
        middle = (number + 0.5) * layers - 0.5
        place: dict[str, Any] = {"xytext": (-34, 0), "textcoords": "offset points", "rotation": 90}
        axes.annotate(
            _shortened(name, 24), (-0.5, middle), ha="center", va="center", color=theme.ink, fontsize=9, **place
        )
    axes.yaxis.labelpad = 22


def _mark_arms(axes: "Axes", shown: PlaneValues, theme: Theme, cell: float) -> "list[Line2D]":
    """Draw dots, square and ring; one legend entry for each kind that there is. `cell` is an arm's size in points."""
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    legend = []

    def explain(label: str, **style: Any) -> None:
        legend.append(Line2D([], [], label=label, **{"linestyle": "none", **style}))

    def hollow(marker: str, edge: str, width: float, halo: str, halo_width: float) -> dict[str, Any]:
        style = {"marker": marker, "markerfacecolor": "none", "markeredgecolor": edge, "markeredgewidth": width}
        return {**style, "linestyle": "none", "path_effects": [withStroke(linewidth=halo_width, foreground=halo)]}

    rows, at = np.nonzero(shown.scored)
    if rows.size:
        dot: dict[str, Any] = {"marker": "o", "markerfacecolor": "#ffffff", "markeredgecolor": "#000000"}
        largest = min(6.5, max(1.3, 0.5 * cell))
        area = largest**2 * shown.scored[rows, at] / max(1, shown.n_tasks)
        axes.scatter(rows, at, s=area, c="#ffffff", edgecolors="#000000", linewidths=min(0.8, largest / 6), zorder=3)
        explain("measured (larger: more tasks)", markersize=5.5, **dot)

    # each of two strokes, light on dark or dark on light, so that it is seen on either end of the colour scale
    ring = min(17.0, max(11.0, cell))
    square = hollow("s", "#ffffff", 1.8, "#000000", 3.4)
    axes.plot(*shown.final_last, markersize=ring - 2, zorder=4, clip_on=False, **square)
    explain("final checkpoint's last layer", markersize=9, **square)
    if shown.best:
        circle = hollow("o", BEST, 2.2, "#ffffff", 4.4)
        axes.plot(*shown.best, markersize=ring, zorder=5, clip_on=False, **circle)
        label = f"{shown.best_role}: {_shortened(shown.best_name, 40)}"
        explain(label, markersize=10, **circle)
    if not shown.posterior and (shown.scored < shown.n_tasks).any():
        empty = {"markerfacecolor": theme.empty, "markeredgecolor": theme.faint}
        explain("not measured on every task", marker="s", markersize=9, **empty)
    return legend


def _evenly_spaced(size: int, most: int) -> list[int]:
    """At most `most` of the numbers 0..size-1 in even steps, among them always the first and the last."""
    stride = max(1, math.ceil((size - 1) / (most - 1)))
    shown = list(range(0, size, stride))
    if shown[-1] != size - 1:
        if size - 1 - shown[-1] < stride / 2 and len(shown) > 1:
            shown.pop()  # its label would overlap the last one
        shown.append(size - 1)
    return shown


def _shortened(name: str, most: int = 16) -> str:
    """The name in at most `most` characters, without its middle where it is longer."""
    half = most // 2
    name = name if len(name) <= most else f"{name[: half - 1]}…{name[-half:]}"
    return name.replace("$", r"\$")  # matplotlib reads a pair of dollar signs as mathematics
