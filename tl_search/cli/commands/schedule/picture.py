"""A schedule as a picture: where its checkpoints lie in each epoch, and how far apart they are."""

import io
from collections.abc import Sequence
from itertools import pairwise

from tl_search.cli.commands.schedule.text import summary
from tl_search.plane.horizon import Horizon

MOST_LINES = 400  # ends of epochs; more of them would be a grey area


def picture(steps: Sequence[int], horizon: Horizon, kind: str) -> bytes:
    """The content of an image file.

    Args:
        steps: The steps with a checkpoint, rising.
        horizon: How long the run is.
        kind: `png` or `svg`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ink, faint, dots = "#1c2024", "#80868b", "#0072b2"
    figure = Figure(figsize=(9.6, 3.6), dpi=160, layout="constrained", facecolor="#ffffff")
    FigureCanvasAgg(figure)
    gaps, where = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    later = list(pairwise(steps))
    gaps.plot([step for _, step in later], [b - a for a, b in later], ".", color=dots, markersize=6)
    if later:
        gaps.set_yscale("log")
        gaps.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        gaps.set_yticks([])
    gaps.set_ylabel("steps since the\ncheckpoint before", color=ink)
    ends = horizon.epoch_ends if len(horizon.epoch_ends) <= MOST_LINES else ()
    gaps.set_title(f"{summary(steps)}{'; dotted: an epoch ends' if ends else ''}", loc="left", color=ink)
    where.vlines(list(steps), 0, 1, color=dots, linewidth=0.8)
    where.set_ylim(0, 1)
    where.set_yticks([])
    where.set_xlabel("optimizer steps", color=ink)
    for axes in (gaps, where):
        for end in ends:
            axes.axvline(end, color=faint, linewidth=0.8, linestyle=":")
        axes.tick_params(colors=ink)
        for spine in axes.spines.values():
            spine.set_color(faint)
    where.set_xlim(-0.01 * horizon.total, 1.01 * horizon.total)
    target = io.BytesIO()
    figure.savefig(target, format=kind)
    return target.getvalue()
