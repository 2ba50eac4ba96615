"""The loss terms that a curriculum may weigh, found by the name of their module."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

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
    """What a task's term computes; for language (logits (text, token, vocabulary), targets (text, token)) → a scalar.

    A term with settings is an object of a frozen dataclass, here with its defaults. A term of language that has a
    parameter `encode` is also given a function of (tokens, layer), as `CausalLM.encode` is.

    Raises:
        ValueError: there is no such term, or its module has no function `loss`.
    """
    term: LossTerm | None = getattr(plugins.find(HOMES[task], name), "loss", None)
    if term is None:
        raise ValueError(f"losses: {name} must be a module with a function loss(logits, targets)")
    return term


def as_recorded(terms: Mapping[str, Mapping[str, Any]], task: str = LANGUAGE) -> dict[str, Any]:
    """The settings of terms that a run has recorded (`plain`), as objects again."""
    return {
        name: replace(loss_term(name, task), **{key: value for key, value in said.items() if key != "class"})  # type: ignore[type-var]
        for name, said in terms.items()
    }


def fitted(curriculum: Curriculum, blocks: int | None) -> Curriculum:
    """A curriculum for a model with fewer blocks; None where the model's family does not say how many it has."""
    terms = {
        name: replace(term, layer=blocks) if blocks is not None and (getattr(term, "layer", 0) or 0) > blocks else term
        for name, term in curriculum.terms.items()
    }
    return replace(curriculum, terms=terms)


def check_terms(curriculum: Curriculum, task: str = LANGUAGE, blocks: int | None = None) -> None:
    """Checks that every stage weighs known terms of a task, and at least one of them above zero.

    Imports no term but those that have settings.

    Args:
        blocks: Blocks of the model, if they are known: no term may be of a layer above.

    Raises:
        ValueError: naming the stage, or the setting of a term.
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
    for name, term in curriculum.terms.items():
        if name not in known:
            raise ValueError(f"curriculum.terms.{name}: there is no such term{did_you_mean(name, known)}")
        cls = type(loss_term(name, task))
        if not is_dataclass(cls):
            raise ValueError(f"curriculum.terms.{name}: must be left out, since this term has no settings")
        if type(term) is not cls:
            wanted = f"{cls.__module__}.{cls.__qualname__}"
            raise ValueError(f"curriculum.terms.{name}: must be a node with _target_: {wanted}, got {term!r}")
        layer = getattr(term, "layer", None)
        if blocks is not None and layer is not None and layer > blocks:
            raise ValueError(f"curriculum.terms.{name}.layer: must be <= {blocks}, the model's last one, got {layer}")


def _of_another(term: str, task: str) -> str:
    """Which other task has a term of the name, to complete a message."""
    found = [other for other, home in HOMES.items() if other != task and term in plugins.names(home)]
    return f", a term of the task {found[0]} (this one is of {task})" if found else ""
