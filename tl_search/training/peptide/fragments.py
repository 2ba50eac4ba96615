"""Where the fragments of a peptide are in its spectrum: m/z of b and y ions, which all parts of the task share."""

from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

# Da; the tests compare them with pyteomics, which a model that was trained once does not need any more.
WATER, AMMONIA, CARBON_MONOXIDE, PROTON = 18.0105646837, 17.0265491015, 27.9949146221, 1.00727646677


class Ion(Enum):
    """A series of fragments: where the peptide broke and which end is seen, and with how many charges.

    `b` is the first residues, `y` the last ones with water, `a` is b without CO; `b2` and `y2` have two charges.
    """

    b = "b"
    y = "y"
    a = "a"
    b2 = "b2"
    y2 = "y2"

    @property
    def charge(self) -> int:
        return 2 if self.value.endswith("2") else 1


class Loss(Enum):
    """A neutral molecule that a b or y ion of one charge may lose."""

    H2O = "H2O"
    NH3 = "NH3"

    @property
    def mass(self) -> float:
        return WATER if self is Loss.H2O else AMMONIA


def series(prefixes: "Any", total: "Any", ion: Ion) -> "Any":
    """m/z of one series, for numbers, arrays of numpy and tensors alike.

    Args:
        prefixes: Mass of the residues before each break, in Da.
        total: Mass of all residues, in Da.
    """
    if ion in (Ion.y, Ion.y2):
        mass = total - prefixes + WATER
    else:
        mass = prefixes - (CARBON_MONOXIDE if ion is Ion.a else 0.0)
    return (mass + ion.charge * PROTON) / ion.charge


def precursor_mz(mass: "Any", charge: "Any") -> "Any":
    """m/z of the whole peptide, from its neutral mass (residues and water)."""
    return (mass + charge * PROTON) / charge


def neutral_mass(mz: "Any", charge: "Any") -> "Any":
    """The neutral mass of what has an m/z, in Da."""
    return (mz - PROTON) * charge


def breaks(masses: np.ndarray) -> np.ndarray:
    """Mass before each break between two residues (break,) of residues' masses (residue,)."""
    return np.cumsum(masses)[:-1]


def theoretical(residue_mass: "Tensor", real: "Tensor") -> "tuple[Tensor, Tensor]":
    """m/z of all b, y, b2 and y2 ions of peptides whose residues may be mixtures.

    Args:
        residue_mass: (text, residue), of which masses may be expected ones.
        real: Whether there is a residue (text, residue).

    Returns:
        m/z (text, peak), and whether the peak is there (text, peak).
    """
    import torch

    kept = residue_mass * real
    prefixes, total = kept.cumsum(1), kept.sum(1, keepdim=True)
    inner = real[:, 1:]  # a break after a residue needs another one behind it
    ions = (Ion.b, Ion.y, Ion.b2, Ion.y2)
    return torch.cat([series(prefixes[:, :-1], total, ion) for ion in ions], 1), inner.repeat(1, len(ions))
