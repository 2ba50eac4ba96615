"""Measures predicted peptides at given steps, on each set of spectra."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from tl_search.training.callbacks.each_batch import EachBatch
from tl_search.training.callbacks.evaluation import mean_loss, measuring, say
from tl_search.training.callbacks.measurements import Measurements
from tl_search.training.peptide.metrics import quality, token_hits
from tl_search.training.peptide.module import PeptideSequencer
from tl_search.training.peptide.residues import PAD
from tl_search.training.peptide.spectrum import SpectrumBatch


class PeptideEvaluation(EachBatch):
    """Publishes `eval/SET/loss`, `token_accuracy`, `peptide_accuracy`, `aa_precision`, `aa_recall`, `mass_error_ppm`.

    Args:
        sets: Name → batches, the same at every step.
        due: Steps that are measured.
        masses: Mass of every token (vocabulary,), in Da.
        averaged: Whether the average of the weights is measured.
    """

    def __init__(
        self, sets: Mapping[str, Sequence[SpectrumBatch]], due: Set[int], masses: np.ndarray, averaged: bool
    ) -> None:
        self.sets, self.due, self.masses, self.averaged = sets, due, masses, averaged

    def act(self, trainer: Trainer, module: LightningModule) -> None:
        step, board = trainer.global_step, Measurements.of(trainer)
        if step not in self.due:
            return
        for name, batches in self.sets.items():
            # what was measured before the run was stopped is not logged twice
            if board.at(f"eval/{name}/aa_recall", step) is None:
                found = self._measured(trainer, module, batches) if trainer.is_global_zero else {}
                found = trainer.strategy.broadcast(found)
                board.publish(trainer, {f"eval/{name}/{key}": value for key, value in found.items()})
                if trainer.is_global_zero:
                    say(step, f"{name} spectra", *_words(found))

    def _measured(
        self, trainer: Trainer, module: LightningModule, batches: Sequence[SpectrumBatch]
    ) -> dict[str, float]:
        with measuring(trainer, module, self.averaged) as measured:
            return evaluated(measured, batches, self.masses)


def evaluated(module: PeptideSequencer, batches: Sequence[SpectrumBatch], masses: np.ndarray) -> dict[str, float]:
    """All measurements of a module on batches, by their names."""
    losses = [module.held_out_loss(batch.to(module.model.device)) for batch in batches]
    tokens, peptides = module.predicted(batches)
    real = [batch.tokens.numpy() != PAD for batch in batches]
    pairs = zip(tokens, batches, strict=True)
    hits = [token_hits(predicted, batch.tokens.numpy(), masses) for predicted, batch in pairs]
    right = sum(int(hit[mask].sum()) for hit, mask in zip(hits, real, strict=True))
    true = [row[row != PAD][:-1] for batch in batches for row in batch.tokens.numpy()]
    precursors = [float(mass) for batch in batches for mass in batch.mass]
    return {
        "loss": mean_loss(losses, batches),
        "token_accuracy": right / sum(int(mask.sum()) for mask in real),
        **asdict(quality(true, peptides, precursors, masses)),
    }


def _words(found: Mapping[str, float]) -> list[str]:
    return [
        f"loss {found['loss']:.3f}",
        f"tokens {found['token_accuracy']:.1%}",
        f"peptides {found['peptide_accuracy']:.1%}",
        f"residues {found['aa_precision']:.1%} of the predicted, {found['aa_recall']:.1%} of the true",
        f"mass off by {found['mass_error_ppm']:,.0f} ppm",
    ]
