"""A schedule as text, as a file and as a picture."""

import io
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tl_search.plane.horizon import Horizon

SUFFIXES = (".yaml", ".json", ".png", ".svg")
SHOWN = 400  # steps of an epoch that a line shows at most


def listed(steps: Sequence[int]) -> str:
    """`0, 17, 35`; the middle of a very long list is left out."""
    words = [str(step) for step in steps]
    if len(words) > SHOWN:
        words[SHOWN // 2 : -SHOWN // 2] = ["…"]
    return ", ".join(words)


def epoch_lines(steps: Sequence[int], horizon: Horizon) -> list[str]:
    """`Epoch 1 (0-333): 20 checkpoints: 0, 17, …`, one line per epoch."""
    lines = []
    for number, (first, last) in enumerate(horizon.epochs, start=1):
        own = [step for step in steps if first <= step <= last]
        text = f"Epoch {number} ({first}-{last}): {len(own)} checkpoint{'' if len(own) == 1 else 's'}"
        lines.append(f"{text}: {listed(own)}" if own else text)
    return lines


def summary(steps: Sequence[int]) -> str:
    """The count, and the smallest and the largest gap."""
    gaps = [later - earlier for earlier, later in pairwise(steps)]
    if not gaps:
        return f"{len(steps)} checkpoint"
    span = f"{min(gaps)} to {max(gaps)}" if min(gaps) < max(gaps) else f"{min(gaps)}"
    return f"{len(steps)} checkpoints, gaps of {span} steps"


def written(steps: Sequence[int], horizon: Horizon, schedule: Any, suffix: str) -> bytes:
    """The content of a file with this suffix."""
    content = {
        "schedule": schedule,
        "horizon": {"total": horizon.total, "epoch_ends": list(horizon.epoch_ends)},
        "steps": list(steps),
    }
    if suffix == ".json":
        return (json.dumps(content, indent=1) + "\n").encode()
    if suffix == ".yaml":
        import yaml

        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120).encode()
    return picture(steps, horizon, suffix[1:])


def picture(steps: Sequence[int], horizon: Horizon, kind: str) -> bytes:
    """Where the checkpoints lie in each epoch, and how far apart, as PNG or SVG."""
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
    gaps.set_ylabel("steps since the\ncheckpoint before", color=ink)
    gaps.set_title(f"{summary(steps)}; dotted: an epoch's end", loc="left", color=ink)
    where.vlines(list(steps), 0, 1, color=dots, linewidth=0.8)
    where.set_ylim(0, 1)
    where.set_yticks([])
    where.set_xlabel("optimizer steps", color=ink)
    for axes in (gaps, where):
        for end in horizon.epoch_ends:
            axes.axvline(end, color=faint, linewidth=0.8, linestyle=":")
        axes.tick_params(colors=ink)
        for spine in axes.spines.values():
            spine.set_color(faint)
    where.set_xlim(-0.01 * horizon.total, 1.01 * horizon.total)
    target = io.BytesIO()
    figure.savefig(target, format=kind)
    return target.getvalue()
