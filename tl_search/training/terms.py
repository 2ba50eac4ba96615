"""The loss terms that a curriculum may weigh, found by the name of their module."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tl_search import plugins
from tl_search.errors.nearest import did_you_mean
from tl_search.plane.curriculum import Curriculum

if TYPE_CHECKING:
    from torch import Tensor

    LossTerm = Callable[[Tensor, Tensor], Tensor]

HOME = "tl_search.training.losses"


def loss_term(name: str) -> "LossTerm":
    """The function of a term: (logits (text, token, vocabulary), targets (text, token)) → a scalar.

    Raises:
        ValueError: there is no such term, or its module has no function `loss`.
    """
    term: LossTerm | None = getattr(plugins.find(HOME, name), "loss", None)
    if term is None:
        raise ValueError(f"losses: {name} must be a module with a function loss(logits, targets)")
    return term


def check_terms(curriculum: Curriculum) -> None:
    """Checks that every stage weighs known terms, and at least one of them above zero. Imports none of them.

    Raises:
        ValueError: naming the stage.
    """
    known = plugins.names(HOME)
    for name, stage in curriculum.stages.items():
        for term in stage.weights:
            if term not in known:
                hint = did_you_mean(term, known)
                raise ValueError(
                    f"curriculum.stages.{name}.weights: must name terms out of {', '.join(known)}, got {term!r}{hint}"
                )
        if not any(weight > 0 for weight in stage.weights.values()):
            raise ValueError(f"curriculum.stages.{name}.weights: must hold a weight > 0, got {dict(stage.weights)}")
