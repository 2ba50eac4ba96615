"""The loss terms that a curriculum may weigh, found by the name of their module."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tl_search import plugins
from tl_search.errors.nearest import did_you_mean
from tl_search.plane.curriculum import Curriculum
from tl_search.training.task import LANGUAGE

if TYPE_CHECKING:
    from torch import Tensor

    LossTerm = Callable[..., Tensor]

HOME = "tl_search.training.losses"
HOMES = {LANGUAGE: HOME, "peptide": "tl_search.training.peptide.losses"}  # task → the package of its terms


def loss_term(name: str, task: str = LANGUAGE) -> "LossTerm":
    """The function of a task's term; for language (logits (text, token, vocabulary), targets (text, token)) → a scalar.

    Raises:
        ValueError: there is no such term, or its module has no function `loss`.
    """
    term: LossTerm | None = getattr(plugins.find(HOMES[task], name), "loss", None)
    if term is None:
        raise ValueError(f"losses: {name} must be a module with a function loss(logits, targets)")
    return term


def check_terms(curriculum: Curriculum, task: str = LANGUAGE) -> None:
    """Checks that every stage weighs known terms of a task, and at least one of them above zero. Imports none of them.

    Raises:
        ValueError: naming the stage.
    """
    known = plugins.names(HOMES[task])
    for name, stage in curriculum.stages.items():
        for term in stage.weights:
            if term not in known:
                hint = did_you_mean(term, known) or _of_another(term, task)
                raise ValueError(
                    f"curriculum.stages.{name}.weights: must name terms out of {', '.join(known)}, got {term!r}{hint}"
                )
        if not any(weight > 0 for weight in stage.weights.values()):
            raise ValueError(f"curriculum.stages.{name}.weights: must hold a weight > 0, got {dict(stage.weights)}")


def _of_another(term: str, task: str) -> str:
    """Which other task has a term of the name, to complete a message."""
    found = [other for other, home in HOMES.items() if other != task and term in plugins.names(home)]
    return f", a term of the task {found[0]} (this one is of {task})" if found else ""
