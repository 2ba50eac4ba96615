"""The data parameters that a stage may set for peptides: their length, and how their spectra are disturbed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tl_search.training.peptide.spectrum import Spectrum, cleaned

_LOWEST = 50.0  # m/z at which noise begins


@dataclass(frozen=True)
class SpectrumForm:
    """What the spectra of a step are like.

    Disturbances come in this order: peaks are lost, others become faint, m/z is off, intensities vary, and noise is
    added. With a larger value the same spectrum is disturbed more, so stages can be compared.

    Args:
        max_length: Most residues of a peptide, which the model's context limits.
        peak_dropout: Share of peaks that are lost, 0 to below 1.
        suppression: Share of peaks that become faint (an intensity of 0.01 to 0.05), 0 to below 1.
        mass_error_ppm: Standard deviation of the error of m/z, in millionths of it.
        intensity_noise: Standard deviation of the factor by which an intensity varies.
        noise_peaks: Peaks that are added anywhere, with an intensity of 0.01 to 0.2.
        clean_share: Share of spectra that are not disturbed at all, 0 to 1.
    """

    max_length: int
    peak_dropout: float = 0.0
    suppression: float = 0.0
    mass_error_ppm: float = 0.0
    intensity_noise: float = 0.0
    noise_peaks: int = 0
    clean_share: float = 0.0

    DECIDES: ClassVar = {
        "weights": "max_length peak_dropout suppression mass_error_ppm intensity_noise noise_peaks clean_share"
    }

    @classmethod
    def of(cls, values: Mapping[str, Any], longest: int, shortest: int = 1) -> Self:
        """A stage's data parameters, each that it leaves out at its default. Raises ValueError, which names one.

        Args:
            longest: Most residues that the model takes.
            shortest: Fewest residues that the data have.
        """
        form = cls(**{"max_length": longest, **values})
        form.check(longest, shortest)
        return form

    def check(self, longest: int, shortest: int) -> None:
        """Raises ValueError for a value that cannot be."""
        if type(self.max_length) is not int or not shortest <= self.max_length <= longest:
            raise ValueError(f"max_length: must be an integer from {shortest} to {longest}, got {self.max_length!r}")
        if type(self.noise_peaks) is not int or not 0 <= self.noise_peaks <= 10**6:
            raise ValueError(f"noise_peaks: must be an integer from 0 to 1,000,000, got {self.noise_peaks!r}")
        for name in ("peak_dropout", "suppression"):
            if not _number(value := getattr(self, name)) or not 0 <= value < 1:
                raise ValueError(f"{name}: must be at least 0 and below 1, got {value!r}")
        for name in ("mass_error_ppm", "intensity_noise"):
            if not _number(value := getattr(self, name)) or value < 0:
                raise ValueError(f"{name}: must be a finite number >= 0, got {value!r}")
        if not _number(self.clean_share) or not 0 <= self.clean_share <= 1:
            raise ValueError(f"clean_share: must be from 0 to 1, got {self.clean_share!r}")

    @property
    def clean(self) -> Self:
        """The same peptides, undisturbed."""
        return type(self)(self.max_length)

    def disturbed(self, spectrum: Spectrum, seed: int, most: int) -> Spectrum:
        """A spectrum as an instrument of this form would show it, at most `most` peaks of it; a function of the seed.

        The highest peak is never lost, so that something is left.
        """
        draw = np.random.default_rng(seed)
        clean, mz, intensity = draw.random() < self.clean_share, spectrum.mz, spectrum.intensity
        count = len(mz)
        lost, faint, low = draw.random(count), draw.random(count), draw.uniform(0.01, 0.05, count)
        off, factor = draw.standard_normal(count), draw.standard_normal(count)
        if not clean:
            intensity = np.where((faint < self.suppression) & (intensity < 1), low, intensity)
            mz = mz * (1 + self.mass_error_ppm * 1e-6 * off)
            intensity = np.maximum(intensity * (1 + self.intensity_noise * factor), 0.01)
            kept = (lost >= self.peak_dropout) | (spectrum.intensity == spectrum.intensity.max())
            # pairs, so that the first noise peaks are the same however many there are
            added = draw.random((self.noise_peaks, 2))
            mz = np.concatenate([mz[kept], _LOWEST + added[:, 0] * max(spectrum.mass - _LOWEST, 1.0)])
            intensity = np.concatenate([intensity[kept], 0.01 + added[:, 1] * 0.19])
        mz, intensity = cleaned(mz, intensity, most)
        return replace(spectrum, mz=mz, intensity=intensity)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
