"""Loss term: how far the normaliser of the softmax is from 1 (PaLM's z-loss)."""

from torch import Tensor


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean squared log of the softmax's normaliser, which keeps logits from drifting (PaLM, arXiv:2204.02311, §5).

    Args:
        logits: (text, token, vocabulary).
        targets: Not used; every term has the same form.
    """
    return logits.float().logsumexp(-1).square().mean()
