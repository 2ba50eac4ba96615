"""The trajectory of a search as a picture: the recommended arm's score by what was spent."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tl_search.figures.style import LIGHT, TITLE, WIDTH, Theme, colour_axes, encoded, new_figure


class Ending(NamedTuple):
    """How a search ended, on confirmation data: all in points but `label`, which explains the score's mark.

    `low` and `high` are the ends of the score's interval; `baseline` is the score of the final checkpoint's last
    layer.
    """

    score: float
    low: float
    high: float
    baseline: float
    label: str


def trajectory_picture(
    share: Sequence[float],
    mean: Sequence[float],
    sd: Sequence[float],
    confirmed: Ending | None = None,
    theme: Theme = LIGHT,
) -> bytes:
    """A PNG; each sequence has one entry per pull, and all may be empty.

    Args:
        share: What was spent up to and with this pull, as a share of the exhaustive cost (1 = all of it).
        mean: Estimated objective of the arm that the policy recommended after this pull, in points.
        sd: The standard deviation of that estimate, in points; 0 where the policy has no posterior.
        confirmed: The confirmed result; None while the search is not finished.
    """
    spent, middle, spread = 100 * np.array(share), np.array(mean), np.array(sd)
    figure = new_figure(WIDTH, 4.2, theme.paper)
    axes = figure.add_subplot(facecolor=theme.paper)
    colour_axes(axes, theme)
    line: dict[str, Any] = {"color": theme.line, "linewidth": 1.8, "drawstyle": "steps-post"}
    axes.plot(spent, middle, label="estimated score of the recommended arm", **line)
    if spread.any():
        band: dict[str, Any] = {"step": "post", "color": theme.line, "alpha": 0.22, "linewidth": 0}
        axes.fill_between(spent, middle - spread, middle + spread, label="± 1 standard deviation", **band)
    end = float(spent[-1]) if spent.size else 0.0
    usual = np.minimum(spread, 3 * np.median(spread)) if spread.size else spread  # the first one may dwarf all others
    shown = [*(middle - usual), *(middle + usual)]
    if confirmed:
        bars = [[confirmed.score - confirmed.low], [confirmed.high - confirmed.score]]
        diamond: dict[str, Any] = {"fmt": "D", "color": theme.confirmed, "capsize": 4, "markersize": 7}
        axes.errorbar([end], [confirmed.score], yerr=bars, label=confirmed.label, **diamond)
        dashes: dict[str, Any] = {"color": theme.baseline, "linestyle": "--", "linewidth": 1.2}
        axes.axhline(confirmed.baseline, label="final checkpoint's last layer, confirmed", **dashes)
        shown += [confirmed.low, confirmed.high, confirmed.baseline]
    if shown:
        room = 0.08 * (max(shown) - min(shown)) or 1.0
        axes.set_ylim(min(shown) - room, max(shown) + room)
    title = "Estimated score of the arm that the search would recommend"
    axes.set_title(title, loc="left", fontsize=TITLE, color=theme.ink, pad=10)
    axes.set(xlabel="spent, % of the exhaustive cost", ylabel="objective, points", xlim=(0, max(end * 1.04, 0.1)))
    axes.grid(axis="y", color=theme.faint, alpha=0.25, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, labelcolor=theme.ink)
    return encoded(figure)
