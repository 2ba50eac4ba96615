"""Synthetic peptides and their spectra, each a function of its seed."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tl_search.training.peptide.fragments import WATER, Ion, Loss, breaks, series
from tl_search.training.peptide.residues import UNKNOWN, Residues
from tl_search.training.peptide.spectrum import Spectrum

_CHARGES, _SHARES = (2, 3, 4), (0.7, 0.25, 0.05)
_FAINTEST, _OF_LOSS = 0.01, 0.3  # least intensity of a fragment; share of its intensity that a loss of it has


@dataclass(frozen=True)
class Generator:
    """Peptides of residues drawn at random, and the fragments that they break into.

    Args:
        residues: The vocabulary, of which residues are drawn with equal chances.
        ions: The series of fragments.
        losses: What b and y ions lose; the ion is there too.
        min_length: Fewest residues.
    """

    residues: Residues
    ions: tuple[Ion, ...]
    losses: tuple[Loss, ...]
    min_length: int

    def peptide(self, seed: int, max_length: int, but: Collection[bytes] = frozenset()) -> np.ndarray:
        """Token ids of a peptide (residue,) of at most so many residues, which is none of `but` (`key_of`)."""
        draw, may = np.random.default_rng(seed), np.flatnonzero(~self.residues.first_only())[UNKNOWN + 1 :]
        while True:
            length = draw.integers(self.min_length, max_length, endpoint=True)
            found = may[draw.integers(len(may), size=length)]
            if key_of(found) not in but:
                return found

    def spectrum(self, peptide: np.ndarray, seed: int) -> Spectrum:
        """The undisturbed spectrum of a peptide."""
        draw, masses = np.random.default_rng(seed), self.residues.masses()[peptide]
        before, total = breaks(masses), float(masses.sum())
        mz, intensity = [], []
        for ion in Ion:  # all are drawn, so that leaving one out changes no other
            height = np.maximum(draw.beta(2, 2 if ion in (Ion.y, Ion.y2) else 5, len(before)), _FAINTEST)
            if ion not in self.ions:
                continue
            places = series(before, total, ion)
            mz.append(places)
            intensity.append(height)
            for loss in self.losses if ion in (Ion.b, Ion.y) else ():
                mz.append(places - loss.mass)
                intensity.append(height * _OF_LOSS)
        heights, order = np.concatenate(intensity), np.argsort(np.concatenate(mz), kind="stable")
        charge = int(draw.choice(_CHARGES, p=_SHARES))
        return Spectrum(np.concatenate(mz)[order], heights[order] / heights.max(), total + WATER, charge, peptide)


def key_of(peptide: np.ndarray) -> bytes:
    """What tells peptides apart: their token ids."""
    return np.asarray(peptide, np.int64).tobytes()
