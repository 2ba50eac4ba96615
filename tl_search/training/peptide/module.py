"""The Lightning module of peptide sequencing."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tl_search.training.module import Trained
from tl_search.training.optim import OptimizerConfig
from tl_search.training.peptide.losses.next_token import loss as next_token
from tl_search.training.peptide.network import SpectrumToPeptide
from tl_search.training.peptide.spectrum import SpectrumBatch
from tl_search.training.timeline import Timeline

TASK = "peptide"


class PeptideSequencer(Trained):
    """A network that reads a spectrum and writes its peptide, each residue after the true ones before it."""

    model: SpectrumToPeptide

    def __init__(self, model: SpectrumToPeptide, timeline: Timeline, optimizer: OptimizerConfig) -> None:
        super().__init__(model, timeline, optimizer, TASK)

    def forward(self, batch: SpectrumBatch) -> Tensor:
        """Logits (text, token, vocabulary) of each token of the batch."""
        return self.model(batch)

    def training_step(self, batch: SpectrumBatch, batch_idx: int) -> dict[str, Tensor]:
        """The weighted sum of the stage's terms as `loss`, and each term by its name; scalars."""
        return self.weighted(self(batch), batch, self.model.masses)

    def held_out_loss(self, batch: SpectrumBatch) -> Tensor:
        """Cross-entropy of a residue, or of the end, in nats; the same in all stages."""
        return next_token(self(batch), batch, self.model.masses)

    @torch.no_grad()
    def predicted(self, batches: Sequence[SpectrumBatch]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For each batch the most probable tokens after the true ones (text, token); for each spectrum the peptide."""
        tokens, peptides = [], []
        for batch in batches:
            there = batch.to(self.model.device)
            tokens.append(self(there).argmax(-1).cpu().numpy())
            peptides += [np.array(row) for row in self.model.write(there)]
        return tokens, peptides
