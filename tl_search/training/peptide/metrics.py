"""How good predicted peptides are, as the field measures it; residues of one mass (I and L) count as equal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tl_search.training.peptide.fragments import WATER

CUMULATIVE, INDIVIDUAL = 0.5, 0.1  # Da: tolerances of the mass up to a residue, and of the residue itself


def matches(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which residues match, between the residue masses of two peptides; Casanovo's definition, after DeepNovo's.

    Residues are paired from the front as long as the masses before and with them agree to 0.5 Da; a pair matches when
    its two masses agree to 0.1 Da. From the back, the residues behind the first one without a match are paired in the
    same way. (Yilmaz et al., 2024, Nature Communications 15:6427; `casanovo/denovo/evaluate.py`.)

    Args:
        true: Masses of the true peptide's residues (residue,), in Da.
        found: Those of the predicted one.

    Returns:
        A mark for each place of the longer peptide.
    """
    marks = np.zeros(max(len(true), len(found)), bool)
    for one, other in _pairs(true, found):
        marks[max(one, other)] = abs(true[one] - found[other]) < INDIVIDUAL
    if marks.all():
        return marks
    first = int(np.flatnonzero(~marks)[0])
    for one, other in _pairs(true[::-1], found[::-1]):
        one, other = len(true) - 1 - one, len(found) - 1 - other
        if min(one, other) < first:
            break
        marks[max(one, other)] = abs(true[one] - found[other]) < INDIVIDUAL
    return marks


def _pairs(true: np.ndarray, found: np.ndarray) -> list[tuple[int, int]]:
    """Places of residues that end at the same mass, to 0.5 Da, from the front."""
    pairs, one, other = [], 0, 0
    ends, other_ends = np.cumsum(true), np.cumsum(found)
    while one < len(true) and other < len(found):
        if abs(ends[one] - other_ends[other]) < CUMULATIVE:
            pairs.append((one, other))
            one, other = one + 1, other + 1
        elif other_ends[other] > ends[one]:
            one += 1
        else:
            other += 1
    return pairs


@dataclass(frozen=True)
class Quality:
    """How good predictions for a set of spectra are.

    Args:
        peptide_accuracy: Share of peptides of which all residues match.
        aa_precision: Matching residues, as a share of the predicted ones.
        aa_recall: Matching residues, as a share of the true ones.
        mass_error_ppm: Median of the distance between the mass of the predicted peptide and the precursor's, in
            millionths of the latter.
    """

    peptide_accuracy: float
    aa_precision: float
    aa_recall: float
    mass_error_ppm: float


def quality(
    true: Sequence[np.ndarray], found: Sequence[np.ndarray], precursors: Sequence[float], masses: np.ndarray
) -> Quality:
    """The quality of predictions.

    Args:
        true: Token ids of the peptides.
        found: Token ids of the predictions, each of at least one residue.
        precursors: Neutral masses of the precursors, in Da.
        masses: Mass of every token (vocabulary,), in Da.
    """
    marks = [matches(masses[one], masses[other]) for one, other in zip(true, found, strict=True)]
    right = sum(int(mark.sum()) for mark in marks)
    errors = [abs(masses[one].sum() + WATER - mass) / mass for one, mass in zip(found, precursors, strict=True)]
    return Quality(
        peptide_accuracy=sum(bool(mark.all()) for mark in marks) / len(marks),
        aa_precision=right / sum(map(len, found)),
        aa_recall=right / sum(map(len, true)),
        mass_error_ppm=1e6 * float(np.median(errors)),
    )


def token_hits(predicted: np.ndarray, tokens: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Which tokens (text, token) are right, each predicted from the true ones before it; equal masses are equal.

    Special tokens have no mass and are compared as they are.
    """
    same_mass = (masses[tokens] > 0) & (np.abs(masses[predicted] - masses[tokens]) < 1e-6)
    return (predicted == tokens) | same_mass
