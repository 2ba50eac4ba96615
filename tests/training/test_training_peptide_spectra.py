"""Synthetic spectra: functions of their seeds, clean ones that fragments explain, noisy ones that are noisy."""

import dataclasses

import numpy as np
import pytest

from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.fragments import Ion, Loss, breaks, series
from tl_search.training.peptide.generated import SyntheticSpectra
from tl_search.training.peptide.residues import Residues
from tl_search.training.peptide.spectrum import Spectrum, cleaned
from tl_search.training.peptide.synthetic import key_of

RESIDUES = Residues(("C[Carbamidomethyl]=H3C2NO", "[Acetyl]-=H2C2O"))
DATA = SyntheticSpectra(validation_spectra=40, spectra=50)
NOISE = SpectrumForm(18, peak_dropout=0.3, mass_error_ppm=15.0, noise_peaks=10)


def packed(data=DATA):
    return data.pack(RESIDUES, None, None, 32)


def explained(spectrum, tolerance=0.001):
    """The share of peaks at a fragment of the peptide."""
    masses = RESIDUES.masses()[spectrum.peptide]
    places = np.concatenate([series(breaks(masses), masses.sum(), ion) for ion in (Ion.b, Ion.y, Ion.b2, Ion.y2)])
    return (np.abs(spectrum.mz[:, None] - places).min(1) < tolerance).mean()


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Spectrum.__dataclass_fields__)


def test_the_clean_validation_set_is_clean_and_the_noisy_one_of_the_same_peptides_is_noisy():
    sets = packed().sets
    for clean, noisy in zip(sets["clean"], sets["noisy"], strict=True):
        assert np.array_equal(clean.peptide, noisy.peptide)
        assert explained(clean) == 1
        assert not same(clean, noisy)
    count = 4 * np.mean([len(one.peptide) - 1 for one in sets["clean"]])
    assert np.mean([len(one.mz) for one in sets["clean"]]) == pytest.approx(count, rel=0.01)
    assert np.mean([len(one.mz) for one in sets["noisy"]]) == pytest.approx(0.85 * count + 10, rel=0.05)
    assert np.mean([explained(one, 0.05) for one in sets["noisy"]]) < 0.9  # ten peaks are noise
    assert np.mean([explained(one, 0.001) for one in sets["noisy"]]) < 0.3  # m/z is off


def test_validation_sets_are_the_same_each_time_and_hold_each_peptide_once():
    first, second = packed().sets, packed(dataclasses.replace(DATA, spectra=7, batch_size=3)).sets
    for name in first:
        assert all(map(same, first[name], second[name]))
    assert len({key_of(one.peptide) for one in first["clean"]}) == 40
    other = packed(dataclasses.replace(DATA, validation_seed=1)).sets["clean"]
    assert not any(map(same, first["clean"], other))


def test_training_spectra_are_functions_of_seed_epoch_and_number():
    source, form = packed().source, SpectrumForm(18)
    assert same(source.spectrum(form, 0, 3, 7), source.spectrum(form, 0, 3, 7))
    others = [(1, 3, 7), (0, 4, 7), (0, 3, 8)]
    assert not any(same(source.spectrum(form, 0, 3, 7), source.spectrum(form, *other)) for other in others)


def test_training_never_meets_a_peptide_of_the_validation_sets():
    short = dataclasses.replace(DATA, min_length=2, max_length=2, validation_spectra=300, spectra=1)
    made = packed(short)
    held = {key_of(one.peptide) for one in made.sets["clean"]}
    drawn = {key_of(made.source.spectrum(SpectrumForm(2), 0, 0, number).peptide) for number in range(500)}
    assert len(held) == 300
    assert not held & drawn


def test_lengths_are_between_the_shortest_and_those_of_the_stage_and_ends_are_not_residues():
    source = packed().source
    drawn = [source.spectrum(SpectrumForm(9), 0, 0, number).peptide for number in range(200)]
    assert {len(peptide) for peptide in drawn} == {6, 7, 8, 9}
    used = {RESIDUES.tokens()[token] for peptide in drawn for token in peptide}
    assert used == {*RESIDUES.tokens()[4:]} - {"[Acetyl]-"}


def test_charges_have_the_published_shares():
    source = packed().source
    charges = [source.spectrum(SpectrumForm(9), 0, 0, number).charge for number in range(600)]
    assert [np.mean(np.array(charges) == charge) for charge in (2, 3, 4)] == pytest.approx([0.7, 0.25, 0.05], abs=0.05)


def test_a_neutral_loss_is_a_fainter_peak_beside_its_ion():
    generator = dataclasses.replace(DATA, ions=(Ion.b,), losses=(Loss.NH3,)).generator(RESIDUES)
    made = generator.spectrum(generator.peptide(0, 6), 0)
    ions, losses = np.nonzero(np.abs(made.mz[:, None] - 17.0265491 - made.mz) < 1e-5)
    assert len(made.mz) == 10
    assert len(ions) == 5
    np.testing.assert_allclose(made.intensity[losses], 0.3 * made.intensity[ions])


def test_a_disturbance_is_a_function_of_the_seed_and_with_a_larger_value_disturbs_the_same_peaks_and_more():
    spectrum = packed().source.spectrum(SpectrumForm(18), 0, 0, 0)
    less, more = (SpectrumForm(18, peak_dropout=share, noise_peaks=0) for share in (0.2, 0.5))
    assert same(less.disturbed(spectrum, 5, 100), less.disturbed(spectrum, 5, 100))
    kept, fewer = ({*form.disturbed(spectrum, 5, 100).mz} for form in (less, more))
    assert fewer < kept < {*spectrum.mz}
    few, many = (SpectrumForm(18, noise_peaks=count).disturbed(spectrum, 5, 200).mz for count in (3, 8))
    assert {*few} < {*many}
    assert len(many) == len(spectrum.mz) + 8


def test_the_share_of_clean_spectra_is_left_as_it_is():
    source, form = packed().source, dataclasses.replace(NOISE, clean_share=0.4)
    spectra = [source.spectrum(form, 0, 0, number) for number in range(1000)]
    left = [same(one, form.disturbed(one, seed, 100)) for seed, one in enumerate(spectra)]
    assert np.mean(left) == pytest.approx(0.4, abs=0.05)


def test_the_mass_error_is_in_millionths():
    spectrum = packed().source.spectrum(SpectrumForm(18), 0, 0, 0)
    off = [
        SpectrumForm(18, mass_error_ppm=10.0).disturbed(spectrum, seed, 100).mz / spectrum.mz - 1 for seed in range(30)
    ]
    assert 1e6 * np.std(off) == pytest.approx(10, rel=0.1)


def test_of_too_many_peaks_the_highest_stay():
    mz, intensity = cleaned(np.arange(1.0, 6), np.array([5.0, 1, 4, 2, 3]), 3)
    assert mz.tolist() == [1, 3, 5]
    assert intensity.tolist() == [1.0, 0.8, 0.6]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_length": 40}, "max_length: must be an integer from 6 to 18, got 40"),
        ({"noise_peaks": 1.5}, "noise_peaks: must be an integer from 0 to 1,000,000, got 1.5"),
        ({"peak_dropout": 1}, "peak_dropout: must be at least 0 and below 1, got 1"),
        ({"mass_error_ppm": float("nan")}, "mass_error_ppm: must be a finite number >= 0, got nan"),
        ({"clean_share": 2}, "clean_share: must be from 0 to 1, got 2"),
    ],
)
def test_a_data_parameter_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SpectrumForm.of(values, 18, 6)


def test_the_noisy_set_is_disturbed_by_known_parameters_only():
    with pytest.raises(ValueError, match=r"noisy: must name some of .*, got 'noise_peak'; did you mean noise_peaks"):
        SyntheticSpectra(noisy={"noise_peak": 3})
