"""Columns whose scores stand apart from those before and after them: perhaps another model was published as that step.

A score stands out by the smaller one of its differences to the same layer and task at the nearest scored revisions
before and after, if it is above both or below both, and otherwise by 0. A column stands apart if the median of this
over its scores is more than each of three:

- `NOISE` times the noise of the other columns: 1.4826 times the median of the absolute differences between a score and
  the straight line, over log(1 + step), between those of its neighbours;
- `CHANGE` times their usual change, the median of the absolute differences of neighbours;
- `LEAST` points.

So neither a curve that bends nor one strange task is enough. Of the columns that stand apart, the one that does so most
is taken out before the others are judged again, since it makes its neighbours look strange.

On a published plane of Pythia-410m (14 steps, 24 layers, 16 tasks) no column stands apart, nor on 600 random parts of
it. With the scores of the last step in its place, a column does at each of the steps 64 to 1000; later, the scores are
too similar.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from tl_search.plane.arm import Arm, Place
from tl_search.plane.revision import Revision
from tl_search.runs.apart import Apart

log = logging.getLogger(__name__)

NOISE, CHANGE = 5.0, 2.0  # multiples
LEAST = 1.0  # points
_NORMAL = 1.4826  # standard deviation of a normal distribution whose median absolute deviation is 1
_SCORES = 6  # scores of a column that are also there before and after it; fewer say nothing
_NOISES = 12  # scores with neighbours from which the noise of the other columns is known

Cells = dict[tuple[Place, str], float]  # (place in the column, task) → points


def standing_apart(points: Mapping[Arm, Mapping[str, float]], revisions: Sequence[Revision]) -> tuple[Apart, ...]:
    """The columns that stand apart, by rising step. Layer 0 is not looked at, since it may be frozen.

    Args:
        points: Scores by arm and task, as far as they were measured.
        revisions: Of the plane, by rising step.
    """
    columns: dict[str, Cells] = defaultdict(dict)
    for arm, scores in points.items():
        columns[arm.revision.name] |= {(arm.place, task): score for task, score in scores.items() if arm.layer}
    left, found = [revision for revision in revisions if columns.get(revision.name)], {}
    while judged := [one for place in range(1, len(left) - 1) if (one := _judged(place, left, columns))]:
        most = max(judged, key=lambda one: abs(one.points) - one.limit)
        found[most.revision] = most
        left = [revision for revision in left if revision.name != most.revision]
    return tuple(found[revision.name] for revision in revisions if revision.name in found)


def warn_of_columns_apart(found: Sequence[Apart]) -> None:
    """Log a line for each."""
    for one in found:
        log.warning(one.sentence)


def _judged(place: int, revisions: Sequence[Revision], columns: Mapping[str, Cells]) -> Apart | None:
    """How a column stands apart; None if it does not, or if too little is known."""
    names = [revision.name for revision in revisions]
    before, after = (_nearest(side, columns) for side in (names[:place], names[:place:-1]))
    own = columns[names[place]]
    out = [_out(value, before[cell], after[cell]) for cell, value in own.items() if cell in before and cell in after]
    changes, noise = _others([revision for revision in revisions if revision.name != names[place]], columns)
    if len(out) < _SCORES or len(noise) < _NOISES:
        return None
    by, limit = median(out), max(NOISE * _NORMAL * median(noise), CHANGE * median(changes), LEAST)
    if abs(by) <= limit:
        return None
    return Apart(names[place], (names[place - 1], names[place + 1]), round(by, 4), round(limit, 4), len(out))


def _others(revisions: Sequence[Revision], columns: Mapping[str, Cells]) -> tuple[list[float], list[float]]:
    """The absolute differences of neighbouring scores, and those of a score from the line between its neighbours."""
    changes, noise = [], []
    curves: dict[tuple[Place, str], list[tuple[float, float]]] = defaultdict(list)
    for revision in revisions:
        for cell, score in columns[revision.name].items():
            curves[cell].append((math.log1p(revision.step), score))
    for curve in curves.values():
        changes += [abs(after - before) for (_, before), (_, after) in pairwise(curve)]
        for (x0, y0), (x1, y1), (x2, y2) in zip(curve, curve[1:], curve[2:], strict=False):
            noise.append(abs(y1 - y0 - (y2 - y0) * (x1 - x0) / (x2 - x0)))
    return changes, noise


def _nearest(names: Sequence[str], columns: Mapping[str, Cells]) -> Cells:
    """The scores of the last of these columns; what it lacks, from the one before it, and so on."""
    found: Cells = {}
    for name in names:
        found |= columns[name]
    return found


def _out(value: float, before: float, after: float) -> float:
    below, above = sorted((value - before, value - after))
    return below if below > 0 else above if above < 0 else 0.0
