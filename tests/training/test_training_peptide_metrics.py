"""Amino-acid precision and recall as the field defines them, on cases that can be counted by hand."""

import numpy as np
import pytest

from tl_search.training.peptide.fragments import WATER
from tl_search.training.peptide.metrics import matches, quality, token_hits
from tl_search.training.peptide.residues import END, Residues

RESIDUES = Residues()
MASSES = RESIDUES.masses()


def ids(peptide):
    return np.array([RESIDUES.tokens().index(letter) for letter in peptide])


@pytest.mark.parametrize(
    ("true", "found", "marks"),
    [
        ("PEPTIDE", "PEPTIDE", "1111111"),
        ("PEPTIDE", "PEPTLDE", "1111111"),  # I and L
        ("PEPTIDE", "EPPTIDE", "0011111"),  # two residues in the wrong order: the third ends at the same mass again
        ("AGGK", "ANK", "1001"),  # N weighs as much as GG, but is not two residues
        ("ANK", "AGGK", "1001"),
        ("AAAK", "GAAK", "0111"),  # the front is off by a methylene from the start, the back matches
        ("AAAK", "AAAG", "1110"),
        ("WWW", "GGG", "000"),
        ("AKQR", "AQKR", "1111"),  # K and Q differ by 0.036 Da, less than the tolerance
    ],
)
def test_residues_match(true, found, marks):
    assert "".join(str(int(mark)) for mark in matches(MASSES[ids(true)], MASSES[ids(found)])) == marks


def test_precision_counts_predicted_residues_and_recall_true_ones():
    true, found = [ids("AGGK"), ids("PEPTIDE")], [ids("ANK"), ids("PEPTLDE")]
    precursors = [float(MASSES[one].sum()) + WATER for one in true]
    got = quality(true, found, precursors, MASSES)
    assert got.aa_precision == pytest.approx(9 / 10)
    assert got.aa_recall == pytest.approx(9 / 11)
    assert got.peptide_accuracy == 0.5
    assert got.mass_error_ppm == pytest.approx(0, abs=0.1)


def test_the_mass_error_is_in_millionths_of_the_precursor():
    true = ids("PEPTIDE")
    mass = float(MASSES[true].sum()) + WATER
    assert quality([true], [true], [mass * (1 + 20e-6)], MASSES).mass_error_ppm == pytest.approx(20, rel=1e-3)


def test_tokens_of_one_mass_are_equal_and_special_ones_are_not():
    hits = token_hits(np.array([[*ids("LK"), END, END]]), np.array([[*ids("IQ"), END, 0]]), MASSES)
    assert hits.tolist() == [[True, False, True, False]]
