"""Loss term: how many of the peaks that the true peptide explains the predicted one leaves unexplained."""

import torch
from torch import Tensor

from tl_search.training.peptide.fragments import theoretical
from tl_search.training.peptide.residues import UNKNOWN
from tl_search.training.peptide.spectrum import SpectrumBatch

_WIDTH = 0.2  # Da; a peak at this distance from the nearest fragment counts half


def loss(logits: Tensor, batch: SpectrumBatch, masses: Tensor) -> Tensor:
    """Intensity that is explained worse than by the true peptide, as a share of what that explains; from 0 to 1.

    How well a peak is explained falls with its distance d from the nearest b or y ion, of one or two charges, of the
    residues' expected masses: 1 / (1 + (d / 0.2 Da)²). It has a slope at every distance, other than a Gaussian, whose
    slope is lost beyond a dalton. Measured against the true peptide, noise that nothing explains costs nothing: the
    loss is 0 on the truth for noisy spectra too.

    Args:
        logits: (text, token, vocabulary), one for each of `batch.tokens`.
        batch: What was seen, and the peptides.
        masses: Mass of every token (vocabulary,) float32, in Da.
    """
    residues = batch.tokens > UNKNOWN
    expected = logits.float().softmax(-1) @ masses
    by_truth = _explained(batch, masses[batch.tokens], residues)
    missed = (by_truth - _explained(batch, expected, residues)).clamp(min=0)
    weight = (batch.intensity * by_truth).sum(1)
    return ((batch.intensity * missed).sum(1) / weight.clamp(min=1e-9)).mean()


def _explained(batch: SpectrumBatch, residue_mass: Tensor, residues: Tensor) -> Tensor:
    """How well each peak is explained, from 0 to 1 (text, peak)."""
    places, there = theoretical(residue_mass, residues)
    places = torch.where(there, places, torch.full_like(places, -1e4))  # so far away that it explains nothing
    distance = (batch.mz[:, :, None] - places[:, None, :]).abs().amin(-1)
    return 1 / (1 + (distance / _WIDTH).square())
