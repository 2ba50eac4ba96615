"""Describes a schedule in lines of text."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from tl_search.plane.horizon import Horizon
from tl_search.plane.schedule import Schedule, SpacedSchedule

if TYPE_CHECKING:
    from tl_search.training.horizon import Epoch

SHOWN = 400  # the most steps of one epoch, and the most epochs, that are printed


def listed(steps: Sequence[int]) -> str:
    """`0, 17, 35`; the middle of a very long list is left out."""
    return ", ".join(_ends([str(step) for step in steps]))


def _ends(words: Sequence[str]) -> list[str]:
    return [*words[: SHOWN // 2], "…", *words[-SHOWN // 2 :]] if len(words) > SHOWN else list(words)


def epoch_length(epoch: "Epoch") -> str:
    """How many steps an epoch has, and whether the number is an estimate."""
    if epoch.steps is None:
        return f"An epoch's length is unknown ({epoch.estimate}); the whole run is counted as one epoch"
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


def rule_lines(schedule: Schedule, horizon: Horizon) -> list[str]:
    """`Steps of epochs 2-3: schedule=log, …`: what places the steps, one line for neighbouring epochs of one rule."""
    if not isinstance(schedule, SpacedSchedule):
        return []
    rules = [schedule.rule(number, horizon) for number in range(len(horizon.epochs))]
    more = "; also and checkpoint_schedule add others" if schedule.also or schedule.checkpoint_schedule else ""
    lines, first = [], 1
    for rule, same in groupby(rules):
        last = first + len(list(same)) - 1
        lines.append(f"Steps of epoch{f' {first}' if first == last else f's {first}-{last}'}: {rule}{more}")
        first = last + 1
    return lines


def summary(steps: Sequence[int]) -> str:
    """`38 checkpoints, gaps of 1 to 128 steps`: how many, and the smallest and the largest gap."""
    gaps = [later - earlier for earlier, later in pairwise(steps)]
    if not gaps:
        return f"{len(steps)} checkpoint"
    span = f"{min(gaps)} to {max(gaps)}" if min(gaps) < max(gaps) else f"{min(gaps)}"
    return f"{len(steps)} checkpoints, gaps of {span} step{'' if span == '1' else 's'}"
