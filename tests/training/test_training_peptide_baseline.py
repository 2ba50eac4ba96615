"""The baseline of the peptide experiment, which knows only the mass, and what the network learns beyond it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tl_search.training.peptide.family import PeptideTransformer
from tl_search.training.peptide.form import SpectrumForm
from tl_search.training.peptide.fragments import WATER
from tl_search.training.peptide.generated import SyntheticSpectra
from tl_search.training.peptide.losses.next_token import loss
from tl_search.training.peptide.metrics import token_hits
from tl_search.training.peptide.residues import END, Residues
from tl_search.training.peptide.spectrum import batch_of

RESIDUES = Residues()
MASSES = RESIDUES.masses()


@pytest.fixture(scope="module")
def baseline():
    folder = str(Path(__file__).parents[2] / "experiments" / "peptide_curriculum")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        from mass_only import MassOnly
    sys.modules.pop("mass_only")
    return MassOnly(RESIDUES, 3, 5)


def peptide(letters):
    tokens = RESIDUES.tokens()
    found = np.array([tokens.index(letter) for letter in letters])
    return found, float(MASSES[found].sum()) + WATER


def test_it_writes_a_peptide_of_the_right_mass(baseline):
    for letters in ("WAG", "PEPTK", "MMRH"):
        _, mass = peptide(letters)
        written = baseline.written(mass)
        assert 3 <= len(written) <= 5
        assert abs(float(MASSES[written].sum()) + WATER - mass) < 0.03


def test_it_knows_the_last_residue_and_the_end_by_the_mass_that_is_left(baseline):
    tokens, mass = peptide("WCAGY")
    after = baseline.tokens_after(tokens, mass)
    assert len(after) == 6
    assert after[-1] == END
    assert MASSES[after[-2]] == pytest.approx(MASSES[tokens[-1]])
    assert END not in after[:3]


def test_isoleucine_stands_for_leucine_too(baseline):
    tokens, mass = peptide("AAI")
    assert token_hits(baseline.tokens_after(tokens, mass)[2:3], tokens[2:3], MASSES).all()


def test_the_network_learns_in_a_few_steps_what_no_mass_tells(baseline):
    data = SyntheticSpectra(min_length=3, max_length=5, validation_spectra=32)
    packed = data.pack(RESIDUES, Path(), None, 8)
    model = PeptideTransformer(width=32, blocks=1, heads=2, feed_forward=64, context=8).build(packed.tokenizer, 0)
    optimizer, form = torch.optim.Adam(model.parameters(), lr=1e-2), SpectrumForm(5)
    for step in range(30):
        batch = batch_of([packed.source.spectrum(form, 0, step, number) for number in range(32)])
        optimizer.zero_grad()
        loss(model(batch), batch, model.masses).backward()
        optimizer.step()
    held_out = batch_of(packed.sets["clean"])
    with torch.no_grad():
        predicted = model.eval()(held_out).argmax(-1).numpy()
    tokens = held_out.tokens.numpy()
    hits = token_hits(predicted, tokens, MASSES)[tokens != 0]
    alone = [
        token_hits(baseline.tokens_after(one.peptide, one.mass), np.append(one.peptide, END), MASSES)
        for one in packed.sets["clean"]
    ]
    assert hits.mean() > np.concatenate(alone).mean() + 0.2
