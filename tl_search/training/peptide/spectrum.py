"""A spectrum with the peptide that it shows, and a batch of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tl_search.training.peptide.residues import END, PAD, START

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Spectrum:
    """A tandem mass spectrum and its peptide.

    Args:
        mz: m/z of the peaks (peak,), float64, rising.
        intensity: Their intensities (peak,), > 0; the highest is 1.
        mass: Neutral mass of the whole peptide (the precursor) as the instrument has it, in Da.
        charge: Charge of the precursor, >= 1.
        peptide: Token ids of the residues (residue,).
    """

    mz: np.ndarray
    intensity: np.ndarray
    mass: float
    charge: int
    peptide: np.ndarray


def cleaned(mz: np.ndarray, intensity: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The `most` highest peaks in the order of m/z, scaled so that the highest is 1. There must be a peak."""
    kept = np.argsort(-intensity, kind="stable")[:most]
    kept = kept[np.argsort(mz[kept], kind="stable")]
    return mz[kept], intensity[kept] / intensity[kept].max()


@dataclass(frozen=True)
class SpectrumBatch:
    """Spectra side by side; those with fewer peaks or residues are padded.

    Args:
        mz: (text, peak) float32; 0 where there is no peak.
        intensity: (text, peak) float32; 0 where there is no peak.
        mass: Neutral mass of the precursor (text,) float32, in Da.
        charge: (text,) int64.
        tokens: The residues and the end token (text, token) int64, then PAD.
    """

    mz: "Tensor"
    intensity: "Tensor"
    mass: "Tensor"
    charge: "Tensor"
    tokens: "Tensor"

    def __len__(self) -> int:
        return len(self.tokens)

    def to(self, device: Any, **options: Any) -> Self:
        return type(self)(*(part.to(device, **options) for part in self.parts))

    @property
    def parts(self) -> "tuple[Tensor, ...]":
        return self.mz, self.intensity, self.mass, self.charge, self.tokens

    @property
    def seen(self) -> "Tensor":
        """What the decoder sees to predict each of `tokens`: the start token and those before it."""
        import torch

        return torch.cat([torch.full_like(self.tokens[:, :1], START), self.tokens[:, :-1]], 1)


def batch_of(spectra: Sequence[Spectrum]) -> SpectrumBatch:
    """A batch of spectra, as wide as the largest of them."""
    import torch

    rows, peaks = len(spectra), max(len(one.mz) for one in spectra)
    mz, intensity = np.zeros((rows, peaks), np.float32), np.zeros((rows, peaks), np.float32)
    tokens = np.full((rows, max(len(one.peptide) for one in spectra) + 1), PAD)
    for row, one in enumerate(spectra):
        mz[row, : len(one.mz)], intensity[row, : len(one.mz)] = one.mz, one.intensity
        tokens[row, : len(one.peptide)], tokens[row, len(one.peptide)] = one.peptide, END
    mass, charge = np.array([one.mass for one in spectra], np.float32), np.array([one.charge for one in spectra])
    return SpectrumBatch(*map(torch.from_numpy, (mz, intensity, mass, charge, tokens)))
