"""How every figure looks: its colours, sizes and fonts, and the steps that all figures share."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

DPI = 160  # dots per inch
WIDTH = 9.6  # inches; figures of the same width have letters of the same size when they stand side by side
TITLE = 11  # points


@dataclass(frozen=True)
class Theme:
    """The colours of a figure, from Okabe and Ito's set: people with any kind of colour vision can tell them apart."""

    paper: str
    ink: str
    faint: str
    empty: str
    line: str
    confirmed: str
    baseline: str


LIGHT = Theme("#ffffff", "#1c2024", "#80868b", "#e4e6e8", "#0072b2", "#d55e00", "#6b7075")
DARK = Theme("#14171a", "#e6e8ea", "#8b9299", "#33383d", "#56b4e9", "#e69f00", "#9aa0a6")
BEST = "#d81b60"  # the ring around the best arm, in both themes


def new_figure(width: float, height: float, paper: str, dpi: int = DPI) -> "Figure":
    """An empty figure of `width` × `height` inches."""
    from matplotlib.figure import Figure

    # without pyplot, which keeps every figure in memory and wants a display where it finds one
    return Figure(figsize=(width, height), dpi=dpi, layout="constrained", facecolor=paper)


def colour_axes(axes: "Axes", theme: Theme) -> None:
    """Ticks, labels and frame in the colours of the theme."""
    axes.tick_params(colors=theme.ink)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    for spine in axes.spines.values():
        spine.set_color(theme.faint)


def heat_map(axes: "Axes", values: np.ndarray, low: float | None = None, high: float | None = None) -> "AxesImage":
    """Draw `values` (checkpoint, layer) with checkpoints across and layers up; NaN shows the axes' own colour.

    `low` and `high` are the ends of the colour scale; None takes the smallest and the largest value.
    """
    style: dict[str, Any] = {"origin": "lower", "aspect": "auto", "cmap": "cividis", "interpolation": "nearest"}
    return axes.imshow(np.ma.masked_invalid(values.T), vmin=low, vmax=high, **style)


def encoded(figure: "Figure", kind: str = "png") -> bytes:
    """The content of a file of this kind: `png` or `svg`. The same figure gives the same PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata={"Software": None} if kind == "png" else None)
    return buffer.getvalue()


def pixels(figure: "Figure") -> np.ndarray:
    """The drawn figure as an array (height, width, colour) of uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
