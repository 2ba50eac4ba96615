"""Masses and fragments are those of the field: figures from textbooks, and pyteomics' own for any peptide."""

import numpy as np
import pytest
from pyteomics import mass

from tl_search.training.peptide import fragments
from tl_search.training.peptide.fragments import Ion, breaks, precursor_mz, series
from tl_search.training.peptide.residues import Residues

RESIDUES = Residues(("C[Carbamidomethyl]=H3C2NO", "M[Oxidation]=O", "[Ammonia-loss]-=H-3N-1"))


def masses_of(peptide):
    ids = RESIDUES.build().encode(peptide)
    return RESIDUES.masses()[ids]


def ions(peptide, ion):
    masses = masses_of(peptide)
    return series(breaks(masses), masses.sum(), ion)


@pytest.mark.parametrize(
    ("token", "expected"),
    [("G", 57.02146), ("W", 186.07931), ("I", 113.08406), ("L", 113.08406), ("C[Carbamidomethyl]", 160.03065),
     ("M[Oxidation]", 147.03540), ("[Ammonia-loss]-", -17.02655)],
)  # fmt: skip
def test_a_residue_has_the_known_mass(token, expected):
    assert RESIDUES.masses()[RESIDUES.tokens().index(token)] == pytest.approx(expected, abs=1e-5)


def test_the_first_fragments_of_PEPTIDE_are_where_every_textbook_has_them():  # noqa: N802
    assert ions("PEPTIDE", Ion.b)[1] == pytest.approx(227.10263, abs=1e-4)
    assert ions("PEPTIDE", Ion.y)[-1] == pytest.approx(148.06043, abs=1e-4)  # y1 of E
    assert ions("PEPTIDE", Ion.y2)[0] == pytest.approx(352.1614, abs=1e-3)  # y6, two charges
    assert precursor_mz(masses_of("PEPTIDE").sum() + fragments.WATER, 2) == pytest.approx(400.68726, abs=1e-4)


@pytest.mark.parametrize("peptide", ["PEPTIDE", "ACDEFGHIK", "LMNPQRSTVWY", "GG"])
@pytest.mark.parametrize(("ion", "kind", "charge"), [(Ion.b, "b", 1), (Ion.y, "y", 1), (Ion.a, "a", 1),
                                                      (Ion.b2, "b", 2), (Ion.y2, "y", 2)])  # fmt: skip
def test_fragments_are_those_of_pyteomics(peptide, ion, kind, charge):
    parts = [(peptide[:end], peptide[end:]) for end in range(1, len(peptide))]
    seen = [behind if kind == "y" else before for before, behind in parts]
    expected = [mass.fast_mass(part, ion_type=kind, charge=charge) for part in seen]
    np.testing.assert_allclose(ions(peptide, ion), expected, atol=1e-6)


def test_constants_are_those_of_pyteomics():
    for value, formula in ((fragments.WATER, "H2O"), (fragments.AMMONIA, "NH3"), (fragments.CARBON_MONOXIDE, "CO")):
        assert value == pytest.approx(mass.calculate_mass(formula=formula), abs=1e-8)
    assert pytest.approx(mass.nist_mass["H+"][0][0], abs=1e-9) == fragments.PROTON


def test_without_modifications_the_vocabulary_has_24_tokens_and_modified_residues_are_one_token_each():
    assert len(Residues().tokens()) == 24
    tokens = RESIDUES.build().tokenize("[Ammonia-loss]-C[Carbamidomethyl]CM[Oxidation]K")
    assert tokens == ["[Ammonia-loss]-", "C[Carbamidomethyl]", "C", "M[Oxidation]", "K"]


@pytest.mark.parametrize("entry", ["X[New]=O", "Oxidation=O", "M[Oxidation]=heavy", "M[Oxidation]"])
def test_a_modification_that_is_none_is_refused(entry):
    with pytest.raises(ValueError, match=r"modifications: must be like M\[Oxidation\]=O"):
        Residues((entry,))
