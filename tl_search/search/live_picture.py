"""The plane so far as a picture: checkpoints across, layers up, the objective as colour."""

from collections.abc import Mapping, Sequence

import numpy as np

TICKS = 12  # checkpoints that the axis names at most


def plane_picture(objectives: Mapping[int, Sequence[float | None]]) -> np.ndarray:
    """Pixels (height, width, colour) as uint8.

    Args:
        objectives: By step, in order: points of each layer, None where it is not known.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = list(objectives)
    values = np.array([[np.nan if point is None else point for point in column] for column in objectives.values()]).T
    # no pyplot: it keeps figures for ever and wants a display where it finds one
    figure = Figure(figsize=(8.0, 2.0 + min(4.0, 0.2 * len(values))), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="#e4e6e8")
    image = axes.imshow(
        np.ma.masked_invalid(values), origin="lower", aspect="auto", cmap="cividis", interpolation="nearest"
    )
    figure.colorbar(image, ax=axes, label="objective, points")
    if np.isfinite(values).any():
        layer, column = np.unravel_index(np.nanargmax(values), values.shape)
        axes.plot(column, layer, "o", markersize=12, fillstyle="none", color="#d81b60", markeredgewidth=2)
        best = f"best so far {values[layer, column]:.2f}: step {steps[column]:,}, layer {layer}"
        axes.set_title(best, loc="left", fontsize=10)
    stride = -(-len(steps) // TICKS)
    axes.set_xticks(range(0, len(steps), stride), [f"{step:,}" for step in steps[::stride]], rotation=40, ha="right")
    axes.set(xlabel="step", ylabel="layer")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
