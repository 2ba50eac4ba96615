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


@dataclass(frozen=True)
class InfoNCE(OfViews):
    """ln N − loss, in nats, a lower bound of the views' mutual information (van den Oord, 2018, arXiv:1807.03748).

    The loss is the cross-entropy of picking a text's other view by softmax(similarity / temperature) among the N
    texts, averaged over both directions, of the first two views. The value is at most ln N, and 0 or less where views
    are not found better than by chance.

    Args:
        temperature: Of the softmax, > 0.
        centre: Whether each view's mean is taken off first.
        row_norm: Whether similarity is the cosine (as in SimCLR) or the plain product.
    """

    higher_is_better = True

    temperature: float = option(0.1, above=0)
    centre: bool = False
    row_norm: bool = True

    def measure(self, views: Float[Tensor, "*layer text view width"]) -> Float[Tensor, "*layer"]:
        first, second = (prepare(views[..., number, :], self.centre, self.row_norm) for number in (0, 1))
        logits = first @ second.mT / self.temperature
        found = logits.diagonal(dim1=-2, dim2=-1)
        loss = (logits.logsumexp(-1) - found).mean(-1) / 2 + (logits.logsumexp(-2) - found).mean(-1) / 2
        return math.log(logits.shape[-1]) - loss
