"""Loss term: how far the expected mass of the predicted peptide is from that of the precursor."""

from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from tl_search.training.peptide.fragments import WATER
from tl_search.training.peptide.residues import PAD
from tl_search.training.peptide.spectrum import SpectrumBatch

_RESIDUE = 110.0  # Da, about the mean mass of a residue: the unit of the error
_BETA = 0.1  # in that unit; below it the loss is a square, above it a line


def loss(logits: Tensor, batch: SpectrumBatch, masses: Tensor) -> Tensor:
    """Smooth L1 distance of the expected peptide's mass, with water, from the precursor's, in units of 110 Da.

    A token's expected mass is the mean mass of the vocabulary under its softmax, where the end token weighs nothing. It
    is also taken at the peptide's end, so a peptide that would go on is too heavy: its length is not told.

    Args:
        logits: (text, token, vocabulary), one for each of `batch.tokens`.
        batch: What was seen, and the peptides.
        masses: Mass of every token (vocabulary,) float32, in Da.
    """
    expected = logits.float().softmax(-1) @ masses
    total = (expected * (batch.tokens != PAD)).sum(1) + WATER
    error = (total - batch.mass) / _RESIDUE
    return smooth_l1_loss(error, error.new_zeros(error.shape), beta=_BETA)
