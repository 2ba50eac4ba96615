"""A schedule as text, as a file and as a picture."""

import dataclasses
import io
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import Schedule

if TYPE_CHECKING:
    from tl_search.training.horizon import Epoch
    from tl_search.training.plan import TrainingPlan

SUFFIXES = (".yaml", ".json", ".png", ".svg")
SHOWN = 400  # steps of an epoch, and epochs, that are shown at most


def listed(steps: Sequence[int]) -> str:
    """`0, 17, 35`; the middle of a very long list is left out."""
    return ", ".join(_ends([str(step) for step in steps]))


def _ends(words: Sequence[str]) -> list[str]:
    return [*words[: SHOWN // 2], "…", *words[-SHOWN // 2 :]] if len(words) > SHOWN else list(words)


def epoch_length(epoch: "Epoch") -> str:
    """How long an epoch is, and whether that is an estimate."""
    if epoch.steps is None:
        return f"An epoch's length is unknown ({epoch.estimate}); the run is taken as one epoch"
    if epoch.estimate:
        return f"An epoch has about {epoch.steps} steps (an estimate, {epoch.estimate})"
    return f"An epoch has {epoch.steps} steps"


def epoch_lines(steps: Sequence[int], horizon: Horizon) -> list[str]:
    """`Epoch 1 (0-333): 20 checkpoints: 0, 17, …`, one line per epoch."""
    lines = []
    for number, (first, last) in enumerate(horizon.epochs, start=1):
        own = steps[bisect_left(steps, first) : bisect_right(steps, last)]
        text = f"Epoch {number} ({first}-{last}): {len(own)} checkpoint{'' if len(own) == 1 else 's'}"
        lines.append(f"{text}: {listed(own)}" if own else text)
    return _ends(lines)


def summary(steps: Sequence[int]) -> str:
    """The count, and the smallest and the largest gap."""
    gaps = [later - earlier for earlier, later in pairwise(steps)]
    if not gaps:
        return f"{len(steps)} checkpoint"
    span = f"{min(gaps)} to {max(gaps)}" if min(gaps) < max(gaps) else f"{min(gaps)}"
    return f"{len(steps)} checkpoints, gaps of {span} step{'' if span == '1' else 's'}"


def costs(training: "TrainingPlan", steps: Sequence[int], horizon: Horizon, vocabulary: int | None) -> list[str]:
    """Lines on disk and time, or on what they cannot be told without."""
    from tl_search.report.sentences import duration
    from tl_search.training import estimate
    from tl_search.training.horizon import timeline_of
    from tl_search.training.trainer import device_count

    vocabulary = vocabulary or estimate.vocabulary(training.tokenizer)
    if vocabulary is None:
        return ["Disk and time: unknown without the tokenizer's vocabulary, which is counted where no horizon is given"]
    parameters = training.model.parameters(vocabulary)
    weights, state = estimate.revision_bytes(parameters), estimate.state_bytes(parameters, bool(training.ema_decay))
    models, kept = estimate.best_kept(training)[0], estimate.states_kept(training, steps)
    count, most, best = len(steps) + models, "at most " if models else "", f" ({models} as best)" if models else ""
    tokens = timeline_of(training, horizon, horizon.epoch_ends[0]).tokens_at(horizon.total)
    speed = estimate.machine_speed(training.trainer) * device_count(training.trainer)
    seconds = tokens * training.model.flops_per_token(vocabulary) / (speed * estimate.EFFICIENCY)
    return [
        f"Disk, an estimate for {_short(parameters)} parameters: "
        f"weights {most}{count} × {_short(weights)}B = {_short(weights * count)}B{best}, "
        f"full training states at most {kept} × {_short(state)}B = {_short(state * kept)}B",
        f"Time, an estimate: {duration(seconds)} for {_short(tokens)} tokens on this machine, if training reaches "
        f"{estimate.EFFICIENCY:.0%} of the {_short(speed)}FLOP/s that it multiplies matrices with",
    ]


def _short(number: float) -> str:
    """`1.3 M`, in powers of 1000."""
    power = 0
    while number >= 999.5 and power < 5:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {' kMGTP'[power].strip()}"


def written(steps: Sequence[int], horizon: Horizon, schedule: Schedule, suffix: str) -> bytes:
    """The content of a file with this suffix; of text, `tl schedule from=FILE` reads the schedule again."""
    content = {
        "schedule": _node(schedule),
        "horizon": {"total": horizon.total, "epoch_ends": list(horizon.epoch_ends)},
        "steps": list(steps),
    }
    if suffix == ".json":
        return (json.dumps(content, indent=1) + "\n").encode()
    if suffix == ".yaml":
        import yaml

        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120).encode()
    return picture(steps, horizon, suffix[1:])


def _node(value: Any) -> Any:
    """A schedule as the config node that builds it."""
    if dataclasses.is_dataclass(value):
        cls = type(value)
        named = {field.name: _node(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"_target_": f"{cls.__module__}.{cls.__qualname__}", **named}
    if isinstance(value, list | tuple):
        return [_node(item) for item in value]
    return value.name if isinstance(value, Enum) else value


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
    else:
        gaps.set_yticks([])
    gaps.set_ylabel("steps since the\ncheckpoint before", color=ink)
    ends = horizon.epoch_ends if len(horizon.epoch_ends) <= SHOWN else ()
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
