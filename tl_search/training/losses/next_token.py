"""Loss term: the cross-entropy of the next token."""

from torch import Tensor
from torch.nn.functional import cross_entropy


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the next token, in nats.

    Args:
        logits: (text, token, vocabulary).
        targets: (text, token), each the token that follows.
    """
    return cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
