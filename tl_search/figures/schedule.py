"""A checkpoint schedule as a picture: where its checkpoints lie in each epoch, and how far apart they are."""

from collections.abc import Sequence
from itertools import pairwise

from tl_search.figures.style import LIGHT, WIDTH, colour_axes, encoded, new_figure
from tl_search.plane.horizon import Horizon

EPOCH_ENDS = 400  # lines at the ends of epochs that are drawn at most; of more, none


def schedule_picture(steps: Sequence[int], horizon: Horizon, kind: str, title: str) -> bytes:
    """The content of a picture file.

    Args:
        steps: Optimizer steps at which a checkpoint is written, rising.
        horizon: The length of the training run and the ends of its epochs, in optimizer steps.
        kind: `png` or `svg`.
        title: A line above the picture; it is followed by what the dotted lines mean, where there are any.
    """
    figure = new_figure(WIDTH, 3.6, LIGHT.paper)
    gaps, where = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    pairs = list(pairwise(steps))
    gaps.plot([step for _, step in pairs], [b - a for a, b in pairs], ".", color=LIGHT.line, markersize=6)
    if pairs:
        gaps.set_yscale("log")
        gaps.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        gaps.set_yticks([])
    gaps.set_ylabel("steps since the\nprevious checkpoint")
    ends = horizon.epoch_ends if len(horizon.epoch_ends) <= EPOCH_ENDS else ()
    gaps.set_title(f"{title}{'; dotted: end of an epoch' if ends else ''}", loc="left", color=LIGHT.ink)
    where.vlines(list(steps), 0, 1, color=LIGHT.line, linewidth=0.8)
    where.set_ylim(0, 1)
    where.set_yticks([])
    where.set_xlabel("optimizer steps")
    for axes in (gaps, where):
        colour_axes(axes, LIGHT)
        for end in ends:
            axes.axvline(end, color=LIGHT.faint, linewidth=0.8, linestyle=":")
    where.set_xlim(-0.01 * horizon.total, 1.01 * horizon.total)
    return encoded(figure, kind)
