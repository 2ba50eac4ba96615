"""The two pictures of a search: the plane that was searched, and how the choice came about. PNG bytes."""

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_search.report.findings import Findings
from tl_search.report.sentences import percent, printable
from tl_search.report.trajectory import measured_objective, scored_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

DPI = 160
WIDTH = 9.6  # inches, of both pictures: side by side their letters are alike
TICKS = 14  # revisions that the axis names at most; the rest have a small tick


@dataclass(frozen=True)
class Theme:
    """Colours from Okabe and Ito's set, which people with any kind of colour vision tell apart."""

    paper: str
    ink: str
    faint: str
    empty: str
    line: str
    confirmed: str
    rival: str


LIGHT = Theme("#ffffff", "#1c2024", "#80868b", "#e4e6e8", "#0072b2", "#d55e00", "#6b7075")
DARK = Theme("#14171a", "#e6e8ea", "#8b9299", "#33383d", "#56b4e9", "#e69f00", "#9aa0a6")


def plane_picture(findings: Findings, theme: Theme = LIGHT) -> bytes:
    """The objective over the plane: what the policy believes, or what was measured where it has no posterior.

    A dot marks a measured arm, larger with more of its tasks scored; a ring the arm that is named; a square what
    people take without a search.
    """
    plane = findings.plane
    columns, layers = plane.shape
    believed = findings.mean is not None
    values = findings.mean if findings.mean is not None else measured_objective(findings)
    width, height = WIDTH, 2.4 + min(4.6, max(2.0, 0.2 * layers))
    figure, axes = _figure(width, height, theme)
    axes.set_facecolor(theme.empty)
    known = values[~np.isnan(values)]
    if known.size:
        # the untrained corner may lie far below all else: it should not eat the scale that tells good arms apart
        low, high = np.percentile(known, 5 if known.size > 20 else 0), known.max()
        image = axes.imshow(
            np.ma.masked_invalid(values.T),
            origin="lower",
            aspect="auto",
            cmap="cividis",
            interpolation="nearest",
            vmin=low,
            vmax=high if high > low else low + 1e-9,
        )
        bar = figure.colorbar(image, ax=axes, pad=0.015, extend="min" if known.min() < low else "neither")
        bar.set_label("believed objective, points" if believed else "measured objective, points", color=theme.ink)
        bar.ax.tick_params(colors=theme.ink)
        bar.outline.set_visible(False)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, layers - 0.5), ylabel="layer", xlabel="training checkpoint")
    what = "what the search believes" if believed else "what was measured"
    _title(axes, f"{_short(printable(plane.model), 48)}: {what} of every checkpoint and layer", theme)
    axes.set_yticks(_spread(layers, 13))
    axes.set_yticks(range(layers), minor=True)
    _name_columns(axes, [printable(column.name) for column in plane.columns])
    cell = min(72 * (width - 2.4) / columns, 72 * (height - 2.0) / layers)  # in points
    marks = _mark_arms(axes, findings, theme, cell)
    narrow = len(marks) > 3 or max(len(str(mark.get_label())) for mark in marks) > 34
    figure.legend(
        handles=marks, loc="outside lower left", ncols=2 if narrow else 3, frameon=False, labelcolor=theme.ink
    )
    return _png(figure)


def trajectory_picture(findings: Findings, theme: Theme = LIGHT) -> bytes:
    """What the policy believed of the arm that it would have named, against what it had spent, and how that ended."""
    figure, axes = _figure(WIDTH, 4.2, theme)
    share = np.array([100 * step.share for step in findings.trajectory])
    mean = np.array([step.recommended.mean for step in findings.trajectory])
    sd = np.array([step.recommended.sd for step in findings.trajectory])
    axes.plot(
        share,
        mean,
        color=theme.line,
        linewidth=1.8,
        drawstyle="steps-post",
        label="arm named: its score, as far as known",
    )
    if sd.any():
        band: dict[str, Any] = {"step": "post", "color": theme.line, "alpha": 0.22, "linewidth": 0}
        axes.fill_between(share, mean - sd, mean + sd, label="± 1 standard deviation", **band)
    end = float(share[-1]) if share.size else 0.0
    usual = np.minimum(sd, 3 * np.median(sd)) if sd.size else sd  # the first sd may be as wide as the whole scale
    seen = [*(mean - usual), *(mean + usual)]
    outcome = findings.outcome
    if outcome:
        best, last = outcome.best, outcome.final_last
        axes.errorbar(
            [end],
            [best.confirmed],
            yerr=[[best.confirmed - best.interval.low], [best.interval.high - best.confirmed]],
            fmt="D",
            color=theme.confirmed,
            capsize=4,
            markersize=7,
            label=f"confirmed on {findings.plane.reported_on}, {percent(outcome.confidence)} interval",
        )
        rival: dict[str, Any] = {"color": theme.rival, "linestyle": "--", "linewidth": 1.2}
        axes.axhline(last.confirmed, label="final checkpoint's last layer, confirmed", **rival)
        seen += [best.interval.low, best.interval.high, last.confirmed]
    if seen:
        room = 0.08 * (max(seen) - min(seen)) or 1.0
        axes.set_ylim(min(seen) - room, max(seen) + room)
    _title(axes, "The score believed of the arm that the search would name", theme)
    axes.set(xlabel="spent, % of the exhaustive cost", ylabel="objective, points", xlim=(0, max(end * 1.04, 0.1)))
    axes.grid(axis="y", color=theme.faint, alpha=0.25, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, labelcolor=theme.ink)
    return _png(figure)


def _figure(width: float, height: float, theme: Theme) -> "tuple[Figure, Axes]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # no pyplot: it keeps figures for ever and wants a display where it finds one
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=theme.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=theme.paper)
    axes.tick_params(colors=theme.ink)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    for spine in axes.spines.values():
        spine.set_color(theme.faint)
    return figure, axes


def _title(axes: "Axes", text: str, theme: Theme) -> None:
    axes.set_title(text, loc="left", fontsize=11, color=theme.ink, pad=10)


def _spread(size: int, most: int) -> list[int]:
    """Evenly spaced places among `size`, at most `most`; always the first and the last."""
    stride = max(1, math.ceil((size - 1) / (most - 1)))
    shown = list(range(0, size, stride))
    if shown[-1] != size - 1:
        if size - 1 - shown[-1] < stride / 2 and len(shown) > 1:
            shown.pop()  # or the last two labels would overlap
        shown.append(size - 1)
    return shown


def _name_columns(axes: "Axes", names: list[str]) -> None:
    """Names as written, as many as fit."""
    shown = _spread(len(names), TICKS)
    axes.set_xticks(shown, [_short(names[place]) for place in shown], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xticks(range(len(names)), minor=True)


def _short(name: str, most: int = 16) -> str:
    half = most // 2
    name = name if len(name) <= most else f"{name[: half - 1]}…{name[-half:]}"
    return name.replace("$", r"\$")  # matplotlib reads a pair of them as mathematics


def _mark_arms(axes: "Axes", findings: Findings, theme: Theme, cell: float) -> "list[Line2D]":
    """Dots, ring and square; returns one legend entry for each kind that is on the plane. `cell` is in points."""
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    plane, counts, legend = findings.plane, scored_tasks(findings), []

    def explain(label: str, **style: Any) -> None:
        legend.append(Line2D([], [], linestyle="none", label=label, **style))

    rows, at = np.nonzero(counts)
    if rows.size:
        dot: dict[str, Any] = {"marker": "o", "markerfacecolor": "#ffffff", "markeredgecolor": "#000000"}
        largest = min(6.5, max(1.3, 0.5 * cell))
        area = largest**2 * counts[rows, at] / max(1, len(plane.tasks))
        axes.scatter(rows, at, s=area, c="#ffffff", edgecolors="#000000", linewidths=min(0.8, largest / 6), zorder=3)
        explain("measured (area: tasks scored)", markersize=5.5, **dot)

    # two strokes, light on dark or dark on light: to be seen on either end of the scale
    ring = min(17.0, max(11.0, cell))
    hollow: dict[str, Any] = {"markerfacecolor": "none", "linestyle": "none", "clip_on": False}
    square: dict[str, Any] = {
        "marker": "s",
        "markeredgecolor": "#ffffff",
        "markeredgewidth": 1.8,
        "path_effects": [withStroke(linewidth=3.4, foreground="#000000")],
    }
    axes.plot(*plane.at(plane.final_last), markersize=ring - 2, zorder=4, **square, **hollow)
    explain("final checkpoint's last layer", markersize=9, markerfacecolor="none", **square)
    if findings.best:
        circle: dict[str, Any] = {
            "marker": "o",
            "markeredgecolor": "#d81b60",
            "markeredgewidth": 2.2,
            "path_effects": [withStroke(linewidth=4.4, foreground="#ffffff")],
        }
        axes.plot(*plane.at(findings.best), markersize=ring, zorder=5, **circle, **hollow)
        named = "best arm" if findings.outcome else "best arm so far"
        label = f"{named}: {_short(printable(findings.best), 40)}"
        explain(label, markersize=10, markerfacecolor="none", **circle)
    if findings.mean is None and (counts < len(plane.tasks)).any():
        empty = {"markerfacecolor": theme.empty, "markeredgecolor": theme.faint}
        explain("not measured on every task", marker="s", markersize=9, **empty)
    return legend


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # the same run gives the same bytes
    return buffer.getvalue()
