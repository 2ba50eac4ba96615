"""Columns with equal scores: their weights may be the same, though their files differ."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from tl_search.plane.arm import Arm, Place

log = logging.getLogger(__name__)

_FEWEST = 3  # scores that two columns share; fewer may be equal by chance


def warn_of_equal_columns(points: Mapping[Arm, Mapping[str, float]]) -> None:
    """Warn of revisions whose scores are all equal, as far as both have them; layer 0 may be frozen.

    Args:
        points: Scores by arm and task.
    """
    columns: dict[str, dict[tuple[Place, str], float]] = defaultdict(dict)
    for arm, scores in points.items():
        columns[arm.revision.name] |= {(arm.place, task): score for task, score in scores.items() if arm.layer}
    for (one, its), (other, others) in combinations(columns.items(), 2):
        shared = its.keys() & others.keys()
        if len(shared) >= _FEWEST and len({*its.values()}) > 1 and all(its[cell] == others[cell] for cell in shared):
            said = (
                "%s and %s: all %d scores that both have are equal; perhaps they are the same model in different files"
            )
            log.warning(said, one, other, len(shared))
