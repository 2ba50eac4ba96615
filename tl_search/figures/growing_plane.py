"""The plane of a training run that is still going on, as a picture: it gains a column with every checkpoint."""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_search.figures.style import BEST, LIGHT, heat_map, new_figure, pixels

TICKS = 12  # checkpoints that the axis names at most


def growing_plane_picture(objectives: Mapping[int, Sequence[float | None]]) -> np.ndarray:
    """Pixels (height, width, colour) as uint8: checkpoints across, layers up, the objective as colour.

    Args:
        objectives: Optimizer step → the objective of each layer in points, None where it is not known. By rising
            step; every step has the same number of layers.
    """
    steps = list(objectives)
    values = np.array([[np.nan if point is None else point for point in column] for column in objectives.values()])
    figure = new_figure(8.0, 2.0 + min(4.0, 0.2 * values.shape[1]), LIGHT.paper, dpi=100)
    axes = figure.add_subplot(facecolor=LIGHT.empty)
    figure.colorbar(heat_map(axes, values), ax=axes, label="objective, points")
    if np.isfinite(values).any():
        column, layer = np.unravel_index(np.nanargmax(values), values.shape)
        axes.plot(column, layer, "o", markersize=12, fillstyle="none", color=BEST, markeredgewidth=2)
        best = f"best so far {values[column, layer]:.2f}: step {steps[column]:,}, layer {layer}"
        axes.set_title(best, loc="left", fontsize=10)
    stride = -(-len(steps) // TICKS)
    axes.set_xticks(range(0, len(steps), stride), [f"{step:,}" for step in steps[::stride]], rotation=40, ha="right")
    axes.set(xlabel="step", ylabel="layer")
    return pixels(figure)
