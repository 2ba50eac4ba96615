"""InfoNCE: how well the other view of a text can be found among those of all texts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_search.probe.measuring.metric import OfViews, option
from tl_search.probe.measuring.spectrum import prepare

if TYPE_CHECKING:
    from jaxtyping import Float  # a language of shapes for readers and checkers
    from torch import Tensor


def infonce(
    first: Float[Tensor, "*batch text width"],
    second: Float[Tensor, "*batch text width"],
    *,
    temperature: float = 0.1,
    centre: bool = False,
    row_norm: bool = True,
) -> Float[Tensor, "*batch"]:
    """ln N − loss, in nats, a lower bound of the views' mutual information (van den Oord, 2018, arXiv:1807.03748).

    The loss is the cross-entropy of picking a text's other view by softmax(similarity / temperature) among the N
    texts, averaged over both directions. The value is at most ln N, and 0 or less where views are not found better than
    by chance.

    Args:
        first: Vectors of one view of each text.
        second: Vectors of the other view.
        temperature: Of the softmax, > 0.
        centre: Whether each view's mean is taken off first.
        row_norm: Whether similarity is the cosine (as in SimCLR) or the plain product.
    """
    first, second = (prepare(view, centre, row_norm) for view in (first, second))
    logits = first @ second.mT / temperature
    found = logits.diagonal(dim1=-2, dim2=-1)
    loss = (logits.logsumexp(-1) - found).mean(-1) / 2 + (logits.logsumexp(-2) - found).mean(-1) / 2
    return math.log(logits.shape[-1]) - loss


@dataclass(frozen=True)
class InfoNCE(OfViews):
    """`infonce` of the first two views of all texts."""

    higher_is_better = True

    temperature: float = option(0.1, above=0)
    centre: bool = False
    row_norm: bool = True

    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        return infonce(views[..., 0, :], views[..., 1, :], **self.options)
