"""What each task gives vectors that know nothing of its texts, or only their length; the ledger keeps it as cells."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tl_search.plane.pull import TaskSpec
from tl_search.runs.outcome import Chance
from tl_search.scoring.chance import RULES, rule_arm, rule_vectors
from tl_search.scoring.ledger import Ledger
from tl_search.scoring.processes import Scorers

log = logging.getLogger(__name__)


def chance_scores(
    tasks: Sequence[TaskSpec], texts: Mapping[str, tuple[str, ...]], ledger: Ledger, scorers: Scorers
) -> dict[str, Chance]:
    """By task name: what is reached without a model, in points."""
    from tl_search.scoring.uncertainty.resample import estimate_cell

    cells = [(rule, task) for task in tasks for rule in RULES]
    scores = {cell: ledger.get(rule_arm(cell[0]), cell[1]) for cell in cells}
    fresh = [cell for cell, known in scores.items() if known is None]
    prepared = [partial(_arguments, rule, task, texts[task.name]) for rule, task in fresh]
    for number, found in scorers.each(estimate_cell, prepared):
        rule, task = fresh[number]
        if isinstance(found, ValueError):  # such as texts that are all of one length
            log.info("%s: %s vectors have no score: %s", task.name, rule, found)
        else:
            scores[rule, task] = ledger.put(found)
    points = {cell: None if score is None else round(100 * score.value, 4) for cell, score in scores.items()}
    return {task.name: Chance(**{rule: points[rule, task] for rule in RULES}) for task in tasks}


def _arguments(rule: str, task: TaskSpec, texts: tuple[str, ...]) -> tuple[Any, ...]:
    return rule_arm(rule), task, rule_vectors(RULES[rule], texts)
