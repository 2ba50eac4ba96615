"""What each task gives vectors that know nothing of its texts, or only their length; the ledger keeps it as cells."""

import logging
from collections.abc import Mapping, Sequence

from tl_search.errors.stopping import check
from tl_search.plane.pull import TaskSpec
from tl_search.runs.outcome import Chance
from tl_search.scoring.chance import RULES, rule_arm, rule_vectors
from tl_search.scoring.ledger import Ledger

log = logging.getLogger(__name__)


def chance_scores(tasks: Sequence[TaskSpec], texts: Mapping[str, tuple[str, ...]], ledger: Ledger) -> dict[str, Chance]:
    """By task name: what is reached without a model, in points."""
    return {
        task.name: Chance(**{rule: _score(rule, task, texts[task.name], ledger) for rule in RULES}) for task in tasks
    }


def _score(rule: str, task: TaskSpec, texts: tuple[str, ...], ledger: Ledger) -> float | None:
    from tl_search.scoring.resample import estimate_cell

    check()
    arm = rule_arm(rule)
    found = ledger.get(arm, task)
    try:
        found = found or ledger.put(estimate_cell(arm, task, rule_vectors(RULES[rule], texts)))
    except ValueError as error:  # such as texts that are all of one length
        log.info("%s: %s vectors have no score: %s", task.name, rule, error)
        return None
    return round(100 * found.value, 4)
