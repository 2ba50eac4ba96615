"""Loss terms by name; a curriculum's stages weigh them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tl_search.errors.nearest import did_you_mean
from tl_search.plane.curriculum import Curriculum

if TYPE_CHECKING:
    from torch import Tensor

    LossTerm = Callable[[Tensor, Tensor], Tensor]


def next_token(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """Mean cross-entropy of the next token, in nats.

    Args:
        logits: (text, token, vocabulary).
        targets: (text, token), each the token that follows.
    """
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def log_normaliser(logits: "Tensor", targets: "Tensor") -> "Tensor":
    """Mean squared log of the softmax's normaliser, which keeps logits from drifting (PaLM, arXiv:2204.02311, §5).

    Args:
        logits: (text, token, vocabulary).
        targets: Not used; every term has the same form.
    """
    return logits.float().logsumexp(-1).square().mean()


LOSSES: "Mapping[str, LossTerm]" = {"next_token": next_token, "log_normaliser": log_normaliser}


def check_terms(curriculum: Curriculum) -> None:
    """Every stage must weigh known terms, and at least one of them above zero."""
    for name, stage in curriculum.stages.items():
        for term in stage.losses:
            if term not in LOSSES:
                hint = did_you_mean(term, LOSSES)
                raise ValueError(
                    f"curriculum.stages.{name}.losses: must name terms out of {', '.join(LOSSES)}, got {term!r}{hint}"
                )
        if not any(weight > 0 for weight in stage.losses.values()):
            raise ValueError(f"curriculum.stages.{name}.losses: must hold a weight > 0, got {dict(stage.losses)}")
