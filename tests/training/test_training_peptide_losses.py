"""Both auxiliary losses are 0 on the truth, clean or noisy, and have a slope that leads there from elsewhere."""

import pytest
import torch

from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.fragments import Ion, Loss
from tl_search.training.peptide.losses import next_token, precursor, spectrum
from tl_search.training.peptide.residues import PAD, Residues
from tl_search.training.peptide.spectrum import batch_of
from tl_search.training.peptide.synthetic import Generator

RESIDUES = Residues()
MASSES = torch.tensor(RESIDUES.masses(), dtype=torch.float32)
GENERATOR = Generator(RESIDUES, (Ion.b, Ion.y), (Loss.H2O,), 5)
CLEAN = SpectrumForm(12)
NOISY = SpectrumForm(12, peak_dropout=0.2, mass_error_ppm=15, noise_peaks=10)
TERMS = {"spectrum": spectrum.loss, "precursor": precursor.loss}


def batch(form=CLEAN, count=6):
    made = [GENERATOR.spectrum(GENERATOR.peptide(seed, 12), seed) for seed in range(count)]
    return batch_of([form.disturbed(one, seed, 100) for seed, one in enumerate(made)])


def logits_of(tokens, certainty=60.0):
    return certainty * torch.nn.functional.one_hot(tokens, len(MASSES)).float()


@pytest.mark.parametrize("form", [CLEAN, NOISY], ids=["clean", "noisy"])
@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_0_on_the_truth(name, form):
    known = batch(form)
    assert float(TERMS[name](logits_of(known.tokens), known, MASSES)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", TERMS)
def test_isoleucine_in_the_place_of_leucine_costs_nothing(name):
    known, letters = batch(), RESIDUES.tokens()
    swapped = known.tokens.where(known.tokens != letters.index("L"), torch.tensor(letters.index("I")))
    assert not torch.equal(swapped, known.tokens)
    assert float(TERMS[name](logits_of(swapped), known, MASSES)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_falls_on_the_way_to_the_truth_with_a_finite_slope_everywhere(name):
    known, values = batch(NOISY), []
    for certainty in (0.0, 4.0, 8.0, 12.0, 16.0):
        logits = logits_of(known.tokens, certainty).requires_grad_()
        value = TERMS[name](logits, known, MASSES)
        value.backward()
        assert torch.isfinite(logits.grad).all()
        assert logits.grad.abs().sum() > 0
        assert not logits.grad[known.tokens == PAD].any()
        values.append(float(value))
    # where nothing is known, the nearest fragment of the spectrum loss is a matter of chance
    assert values[2:] == sorted(values[2:], reverse=True)
    assert values[0] > 10 * values[-1]


@pytest.mark.parametrize("name", TERMS)
def test_following_the_slope_makes_a_term_smaller(name):
    known = batch()
    noise = torch.randn(*known.tokens.shape, len(MASSES), generator=torch.Generator().manual_seed(0))
    logits = (logits_of(known.tokens, 8.0) + noise).requires_grad_()
    optimizer, values = torch.optim.Adam([logits], lr=0.05), []
    for _ in range(60):
        value = TERMS[name](logits, known, MASSES)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value))
    assert values[-1] < 0.5 * values[0]


def test_the_spectrum_loss_is_a_share_that_grows_with_the_number_of_wrong_residues():
    known, values = batch(), []
    for wrong in range(4):
        tokens = known.tokens.clone()
        tokens[:, :wrong] = RESIDUES.tokens().index("W")
        values.append(float(spectrum.loss(logits_of(tokens), known, MASSES)))
    assert values == sorted(values)
    assert 0.3 < values[-1] <= 1


def test_a_peptide_that_goes_on_behind_its_end_is_too_heavy():
    known = batch(count=1)
    tokens = known.tokens.clone()
    tokens[0, -1] = RESIDUES.tokens().index("A")
    error = 71.03711 / 110
    assert float(precursor.loss(logits_of(tokens), known, MASSES)) == pytest.approx(error - 0.05, abs=1e-3)


def test_cross_entropy_leaves_padding_out():
    known = batch()
    logits = logits_of(known.tokens)
    logits[known.tokens == PAD] = torch.randn(len(MASSES))
    assert (known.tokens == PAD).any()
    assert float(next_token.loss(logits, known, MASSES)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("term", [next_token, spectrum, precursor], ids=["next_token", "spectrum", "precursor"])
def test_a_term_of_half_precision_logits_is_a_float32(term):
    known = batch()
    value = term.loss(logits_of(known.tokens, 1.0).bfloat16(), known, MASSES)
    assert value.dtype == torch.float32
    assert value.shape == ()
