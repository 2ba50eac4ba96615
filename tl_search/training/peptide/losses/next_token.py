"""Loss term: the cross-entropy of the next residue, or of the peptide's end."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from tl_search.training.peptide.residues import PAD
from tl_search.training.peptide.spectrum import SpectrumBatch


def loss(logits: Tensor, batch: SpectrumBatch, masses: Tensor) -> Tensor:
    """Mean cross-entropy of a token, in nats.

    Args:
        logits: (text, token, vocabulary), one for each of `batch.tokens`.
        batch: What was seen, and the peptides.
        masses: Not used; every term has the same form.
    """
    return cross_entropy(logits.flatten(0, 1).float(), batch.tokens.flatten(), ignore_index=PAD)
